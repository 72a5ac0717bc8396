/** Processor time of this process, whatever else the machine does. Boundary: the process. */

/** User and system time since `start`. @unit µs */
export function spentSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}
