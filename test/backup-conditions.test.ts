import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { ScheduleSettings } from "../lib/config/backup.ts";
import { firstUnmet, type Machine } from "../lib/jobs/backup/conditions.ts";
import { lines, makeBackup, type TestBackup } from "./helpers/backups.ts";
import { compiled, run } from "./helpers/command.ts";
import { oldRclone } from "./helpers/rclones.ts";

// Conditions of [schedule]: a run that should not be now is skipped, with the reason.

const noConditions: ScheduleSettings = {
  ...{ cron: undefined, timeZone: undefined, skipUnless: undefined, maxLoad: undefined },
  ...{ requireNetwork: false, requirePower: false, probe: true },
};

type Interfaces = ReturnType<Machine["interfaces"]>;

function addresses(...list: readonly (readonly [name: string, address: string])[]): Interfaces {
  return Object.fromEntries(
    list.map(([name, address]) => [
      name,
      [
        {
          ...{ address, family: "IPv4" as const, netmask: "", mac: "", cidr: null },
          internal: name === "lo",
        },
      ],
    ]),
  );
}

/** What is found on a machine of these interfaces and files below /proc and /sys. */
async function found(
  t: TestContext,
  conditions: Partial<ScheduleSettings>,
  {
    interfaces = {},
    files = {},
    load = 0,
    processors = 1,
  }: {
    interfaces?: Interfaces;
    files?: Readonly<Record<string, string>>;
    load?: number;
    processors?: number;
  },
): Promise<string | undefined> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-machine-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  }
  const unmet = await firstUnmet(
    { ...noConditions, ...conditions },
    { root, interfaces: () => interfaces, load: () => load, processors: () => processors },
  );
  return unmet === undefined ? undefined : `${unmet.key}: ${unmet.found}`;
}

const routeHeader = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n";
const defaultRoute = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
const localRoute = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
const zeros = "0".repeat(32);
const defaultRoute6 = `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n`;
/** The kernel's own, where there is no other. */
const noRoute6 = `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200 lo\n`;

test("a network is an address that others reach and a way out", async (t) => {
  const network = (interfaces: Interfaces, route?: string, route6?: string) =>
    found(
      t,
      { requireNetwork: true },
      {
        interfaces,
        files: {
          ...(route === undefined ? {} : { "proc/net/route": routeHeader + route }),
          ...(route6 === undefined ? {} : { "proc/net/ipv6_route": route6 }),
        },
      },
    );
  const loopback = ["lo", "127.0.0.1"] as const;
  const real = addresses(loopback, ["eth0", "192.168.0.2"]);
  assert.equal(await network(real, localRoute + defaultRoute, noRoute6), undefined);
  assert.equal(await network(real, localRoute, defaultRoute6), undefined, "by IPv6 alone");
  assert.equal(await network(real), undefined, "a system that doesn't tell its routes");
  const none =
    "require_network: expected a network, found no interface with an address but loopback";
  assert.equal(await network({}), none);
  assert.equal(await network(addresses(loopback), defaultRoute), none);
  assert.equal(
    await network(addresses(loopback, ["eth0", "169.254.3.4"], ["eth1", "fe80::1"]), defaultRoute),
    none,
    "addresses of one's own making",
  );
  assert.equal(
    await network(addresses(loopback, ["docker0", "172.17.0.1"]), localRoute, noRoute6),
    "require_network: expected a network, found addresses but no default route",
    "a bridge of containers",
  );
  const down = defaultRoute.replace("\t0003\t", "\t0002\t");
  assert.match((await network(real, down)) ?? "", /no default route/);
});

test("mains power, batteries, and batteries of other things", async (t) => {
  const power = (supplies: Readonly<Record<string, Readonly<Record<string, string>>>>) =>
    found(
      t,
      { requirePower: true },
      {
        files: Object.fromEntries(
          Object.entries(supplies).flatMap(([name, facts]) =>
            Object.entries(facts).map(([fact, text]) => [
              `sys/class/power_supply/${name}/${fact}`,
              `${text}\n`,
            ]),
          ),
        ),
      },
    );
  const used = { type: "Battery", status: "Discharging" };
  const charging = { type: "Battery", status: "Charging" };
  const off = { type: "Mains", online: "0" };
  const on = { type: "Mains", online: "1" };
  const text = "require_power: expected mains power, found this machine on battery";
  assert.equal(await power({}), undefined, "no battery, or no word of it");
  assert.equal(await power({ AC: off }), undefined, "without a battery there is power");
  assert.equal(await power({ AC: on, BAT0: used }), undefined, "a battery that is being cared for");
  assert.equal(await power({ AC: on, BAT0: charging }), undefined);
  assert.equal(await power({ AC: off, BAT0: used }), `${text} (BAT0 is discharging)`);
  assert.equal(
    await power({ AC: off, BAT0: { type: "Battery", status: "Full" } }),
    `${text} (AC is off)`,
  );
  assert.equal(await power({ BAT0: used }), `${text} (BAT0 is discharging)`);
  assert.equal(await power({ BAT0: { type: "Battery", status: "Full" } }), undefined);
  assert.equal(await power({ usb: { type: "USB", online: "1" }, BAT0: used }), undefined);
  assert.equal(await power({ usb: { type: "USB", online: "0" }, BAT0: charging }), undefined);
  assert.equal(await power({ mouse: { ...used, scope: "Device" } }), undefined);
  assert.equal(
    await power({ ups: { type: "UPS", status: "Discharging" } }),
    `${text} (ups is discharging)`,
  );
});

test("the load counts for each processor, and the first condition that doesn't hold is told", async (t) => {
  const busy = { load: 6, processors: 4 };
  assert.equal(await found(t, { maxLoad: 1.5 }, busy), undefined);
  assert.equal(
    await found(t, { maxLoad: 1.49 }, busy),
    "max_load: expected a load of at most 1.49 for each processor, found 1.50",
  );
  assert.equal(await found(t, {}, busy), undefined);
  assert.match(
    (await found(t, { maxLoad: 1, requireNetwork: true }, busy)) ?? "",
    /^require_network: /,
  );
});

/** Hooks that each add a line to a file. */
async function traced(backup: TestBackup, schedule: Record<string, string>): Promise<void> {
  const log = path.join(backup.root, "steps");
  await backup.configure({
    default: {
      pre_command: `echo pre >>${log}`,
      post_command: `echo post >>${log}`,
      failure_command: `echo failure >>${log}`,
      timeout: "1s",
    },
    guards: { require_file: "not-there" },
    schedule,
  });
}

async function steps(backup: TestBackup): Promise<string[]> {
  const log = path.join(backup.root, "steps");
  const text = await readFile(log, "utf8").catch(() => "");
  await rm(log, { force: true });
  return lines(text);
}

test("skip_unless decides before everything else; what can't be run decides nothing", async (t) => {
  const backup = await makeBackup(t, oldRclone, {}, { a: "1" });
  await traced(backup, { skip_unless: "echo $BACKUP_NAME is not ready; exit 3" });
  const report = await backup.report([], { code: 75 });
  assert.equal(report.result, "skipped");
  assert.equal(report.exit_code, 75);
  assert.equal(
    report.message,
    "skip_unless: exit code 3, so this run is skipped; it printed last:\n  home is not ready",
  );
  assert.deepEqual(await steps(backup), [], "no hook runs, failure_command neither");
  assert.equal((await backup.record()).last?.result, "skipped");

  await traced(backup, { skip_unless: "exit 0" });
  await backup.expect(5, { stderr: /guards.require_file/ });
  assert.deepEqual(await steps(backup), ["failure"], "then the guards have their say");

  await traced(backup, { skip_unless: "no-such-program" });
  await backup.expect(1, { stderr: /skip_unless: expected exit code 0, found 127/ });
  assert.deepEqual(await steps(backup), ["failure"]);

  await traced(backup, { skip_unless: "sleep 300" });
  await backup.expect(1, { stderr: /skip_unless: expected it to end within 1 s/ });
  assert.deepEqual(await steps(backup), ["failure"]);

  await traced(backup, { skip_unless: `echo asked >>${backup.root}/steps; false` });
  await backup.expect(5, { args: ["-n"], stderr: /guards.require_file/ });
  assert.deepEqual(await steps(backup), [], "a dry run runs no command");
});

test(
  "a machine without network is skipped, and a dry run says that it would be",
  { skip: process.getuid?.() !== 0 && "only root may leave the network" },
  async (t) => {
    const backup = await makeBackup(
      t,
      oldRclone,
      { schedule: { require_network: "yes" } },
      { a: "1" },
    );
    const offline = async (...args: string[]) =>
      run("unshare", ["-n", process.execPath, compiled("rclone-backup"), ...args, "home"], {
        cwd: backup.root,
        env: backup.env,
      });
    const text =
      "require_network: expected a network, found no interface with an address but loopback";
    const skipped = await offline();
    assert.equal(skipped.code, 75, skipped.stderr);
    assert.equal(
      skipped.stderr,
      `rclone-backup: skipped: ${text}\nrclone-backup: hint: to run it all the same, add --set schedule.require_network=no\n`,
    );
    const dry = await offline("-n");
    assert.equal(dry.code, 0, dry.stderr);
    assert.equal(
      dry.stderr,
      `rclone-backup: warning: a run without -n would be skipped: ${text}\n`,
    );
    assert.match(dry.stdout, /would/);
    const all = await offline("--set", "schedule.require_network=no");
    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(await backup.stored(), ["a"]);
  },
);
