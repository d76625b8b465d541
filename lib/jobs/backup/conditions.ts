import { readdir, readFile } from "node:fs/promises";
import {
  availableParallelism,
  loadavg,
  networkInterfaces,
  type NetworkInterfaceInfo,
} from "node:os";
import { join } from "node:path";
import type { ScheduleSettings } from "../../config/backup.ts";
import { skipped, systemCode } from "../../errors.ts";
import { skipUnless } from "./commands.ts";
import { probeDestination } from "./probe.ts";
import { warn, type Run } from "./run.ts";

/** What the conditions are held against. */
export interface Machine {
  /** Interfaces that are up, with their addresses. */
  readonly interfaces: () => Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>;
  /** Load average of one minute. */
  readonly load: () => number;
  readonly processors: () => number;
  /** Where the kernel tells of itself, such as /proc and /sys; another root in tests. */
  readonly root: string;
}

const thisMachine: Machine = {
  interfaces: networkInterfaces,
  load: () => loadavg()[0] ?? 0,
  processors: availableParallelism,
  root: "/",
};

/** A condition of [schedule] that does not hold. */
export interface Unmet {
  readonly key: "require_network" | "require_power" | "max_load";
  readonly found: string;
}

/**
 * Holds the conditions of [schedule], under the lock and before anything else. Throws skipped with what
 * was found; failed when skip_unless could not be run. A dry run only tells of them, and doesn't run
 * skip_unless, as it runs no hook.
 */
export async function checkConditions(run: Run): Promise<void> {
  const { schedule } = run.session.backup;
  const unmet = await firstUnmet(schedule, thisMachine);
  if (unmet !== undefined)
    skip(run, `${unmet.key}: ${unmet.found}`, `to run it all the same, add ${without[unmet.key]}`);
  const found = schedule.probe
    ? await probeDestination(run.session, run.session.world.signal)
    : undefined;
  if (found !== undefined) skip(run, found, downHint);
  if (schedule.skipUnless !== undefined && !run.options.dryRun)
    await skipUnless(run, schedule.skipUnless);
}

/** A dry run is told only. Throws skipped for any other. */
function skip(run: Run, text: string, hint: string): void {
  if (!run.options.dryRun) throw skipped(text, { hint });
  warn(run, `a run without -n would be skipped: ${text}`);
}

const downHint =
  "is it switched on? The next run tries again; where pre_command makes the way there, set probe = no in [schedule]";

const without: Readonly<Record<Unmet["key"], string>> = {
  require_network: "--set schedule.require_network=no",
  require_power: "--set schedule.require_power=no",
  max_load: "--set schedule.max_load=",
};

/** The first condition about the machine that does not hold, if there is one. */
export async function firstUnmet(
  { requireNetwork, requirePower, maxLoad }: ScheduleSettings,
  machine: Machine,
): Promise<Unmet | undefined> {
  if (requireNetwork) {
    const found = await withoutNetwork(machine);
    if (found !== undefined) return { key: "require_network", found };
  }
  if (requirePower) {
    const found = await onBattery(machine);
    if (found !== undefined) return { key: "require_power", found };
  }
  if (maxLoad === undefined) return undefined;
  const each = machine.load() / machine.processors();
  if (each <= maxLoad) return undefined;
  const found = `expected a load of at most ${maxLoad} for each processor, found ${each.toFixed(2)}`;
  return { key: "max_load", found };
}

/**
 * Why there is no network: an address that others can reach is needed and, where the kernel tells its
 * routes, a way out. Bridges of containers have addresses without any network.
 */
async function withoutNetwork({ interfaces, root }: Machine): Promise<string | undefined> {
  const addresses = Object.values(interfaces()).flatMap((list) => list ?? []);
  if (
    !addresses.some(({ internal, address }) => !internal && !/^(?:169\.254\.|fe80:)/i.test(address))
  )
    return "expected a network, found no interface with an address but loopback";
  const [four, six] = await Promise.all([
    textOf(join(root, "proc/net/route")),
    textOf(join(root, "proc/net/ipv6_route")),
  ]);
  if (four === undefined && six === undefined) return undefined;
  const out = linesOf(four).some(isDefault4) || linesOf(six).some(isDefault6);
  return out ? undefined : "expected a network, found addresses but no default route";
}

const routeUp = 0x1;
const routeReject = 0x200;

/** A line of /proc/net/route: interface, destination, gateway, flags, …, mask, in hexadecimal. */
function isDefault4(line: string): boolean {
  const [name, destination, , flags = "", , , , mask] = line.trim().split(/\s+/);
  return name !== "lo" && destination === "00000000" && mask === "00000000" && isUsable(flags);
}

/** A line of /proc/net/ipv6_route: destination, length of its prefix, …, flags, interface. */
function isDefault6(line: string): boolean {
  const [destination = "", prefix, , , , , , , flags = "", name] = line.trim().split(/\s+/);
  return name !== "lo" && /^0{32}$/.test(destination) && prefix === "00" && isUsable(flags);
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & routeUp) !== 0 && (bits & routeReject) === 0;
}

/**
 * Why this machine is not on mains power, from /sys/class/power_supply: no supply is online, and a
 * battery of its own (a mouse has one, too) is used or the mains are off. A machine without a battery,
 * or a system that doesn't tell, counts as on mains.
 */
async function onBattery({ root }: Machine): Promise<string | undefined> {
  const folder = join(root, "sys/class/power_supply");
  const supplies = await Promise.all(
    (await namesIn(folder)).map(async (name) => {
      const fact = async (file: string): Promise<string> =>
        ((await textOf(join(folder, name, file))) ?? "").trim();
      const [type, scope, online, status] = await Promise.all(
        ["type", "scope", "online", "status"].map(fact),
      );
      return { name, type, scope, online, status };
    }),
  );
  const own = supplies.filter(({ scope }) => scope !== "Device");
  const batteries = own.filter(({ type }) => type === "Battery" || type === "UPS");
  const others = own.filter(({ type }) => type !== "Battery" && type !== "UPS");
  if (batteries.length === 0 || others.some(({ online }) => /^[1-9]/.test(online ?? "")))
    return undefined;
  const used = batteries.find(({ status }) => status === "Discharging");
  const off = others.find(({ type, online }) => type === "Mains" && online === "0");
  if (used === undefined && off === undefined) return undefined;
  const detail = used === undefined ? `${off?.name} is off` : `${used.name} is discharging`;
  return `expected mains power, found this machine on battery (${detail})`;
}

function linesOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.split("\n");
}

/** A file's text; undefined if it isn't there or may not be read: then the system doesn't tell. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
