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

/** Whether the type has every method of the interface, with the same signature. */
export function implementsInterface(type: GoType, iface: GoType): boolean {
  if (iface.kind !== Kind.Interface) badArgument("iface", iface.string, "an interface type");
  const methods = methodSet(type);
  return iface.methods.every((wanted) =>
    methods.some(({ name, type }) => name === wanted.name && type === wanted.type)
  );
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
