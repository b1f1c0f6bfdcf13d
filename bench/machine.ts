/**
 * What kind of machine a time was taken on: times of one kind may be compared, times of two may not.
 *
 * @module
 */

/** The processor's name and the number of cores, as "AMD EPYC, 2 cores, linux". */
export function machineName(): string {
  return `${processorName()}, ${navigator.hardwareConcurrency} cores, ${Deno.build.os}`;
}

function processorName(): string {
  try {
    const name = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"));
    if (name !== null) return name[1].trim();
  } catch {
    // Only Linux has the file.
  }
  return Deno.build.arch;
}
