/**
 * Which values may be passed where: method sets, interfaces and the parameters of finalizers, by the
 * rules of the language as `SetFinalizer` of seed B applies them.
 *
 * ```text
 *   type         its method set
 *   T            the methods with receiver T
 *   *T           the methods with receivers T and *T
 *   interface    the methods it lists
 *   type P *T    none
 *   *interface   none
 * ```
 *
 * @module
 */

import { badArgument } from "../errors.ts";
import { type GoMethod, type GoType, Kind } from "./go_type.ts";

/** The methods that can be called on a value of the type, by name. */
export function methodSet(type: GoType): readonly GoMethod[] {
  if (type.kind === Kind.Ptr && type.name === "") {
    const elem = type.elem!;
    return elem.kind === Kind.Interface ? [] : elem.methods;
  }
  return type.methods.filter(({ pointerReceiver }) => !pointerReceiver);
}

/**
 * The first method of the interface that the type does not have with the same signature; null if it has all.
 * Both have their methods in order of name.
 */
export function missingMethod(type: GoType, iface: GoType): GoMethod | null {
  const methods = methodSet(type);
  let at = 0;
  for (const wanted of iface.methods) {
    while (at < methods.length && methods[at].name < wanted.name) at++;
    const method = methods[at];
    if (method?.name !== wanted.name || method.type !== wanted.type) return wanted;
  }
  return null;
}

/** Whether the type has every method of the interface, with the same signature. */
export function implementsInterface(type: GoType, iface: GoType): boolean {
  if (iface.kind !== Kind.Interface) badArgument("iface", iface.string, "an interface type");
  return missingMethod(type, iface) === null;
}

/**
 * Whether a finalizer with that parameter may be set on an object of that pointer type: the types are
 * identical, or both are pointers to the same type and at most one of them is named, or the parameter
 * is an interface that the object implements.
 */
export function isAssignableToFinalizerParameter(
  objectType: GoType,
  parameterType: GoType,
): boolean {
  if (parameterType === objectType) return true;
  if (parameterType.kind === Kind.Ptr && objectType.kind === Kind.Ptr) {
    const oneUnnamed = parameterType.name === "" || objectType.name === "";
    return oneUnnamed && parameterType.elem === objectType.elem;
  }
  return parameterType.kind === Kind.Interface && implementsInterface(objectType, parameterType);
}
