// A backup of many random sequences at once by the real commands and the real rclone, and its model.
import assert from "node:assert/strict";
import { mkdir, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startB2 } from "./b2/server.ts";
import { compiled, run } from "./command.ts";
import { readState } from "./fault.ts";
import { allowedAt } from "./model.ts";
import { keptBy } from "./modelpolicy.ts";
import { told, type Change, type Sequence } from "./modelsequence.ts";
import { startMoto } from "./moto.ts";
import type { Rclone } from "./rclones.ts";
import { readTree, restoreJson } from "./restoring.ts";
import { makeBucket } from "./s3server.ts";
import { makeSandbox, emptyPassword, type Sandbox } from "./sandbox.ts";

const day = 86_400_000;
const second = 1000;

/** A file that never changes, so that the source is never empty. */
const stays = "stays";

/** A span of time in which a run did its work. */
interface Span {
  readonly from: number;
  readonly until: number;
}

/** Where the backup goes to, and by which clock its times are told. */
export interface Place {
  readonly title: string;
  readonly box: Sandbox;
  readonly destination: string;
  /** Further lines of the configuration. */
  readonly config: string;
  /** The time by the clock that restores go by. */
  now(): number;
  /** Lets time pass, so that what comes is told apart from what was. */
  pass(random: () => number): Promise<void>;
  /** What a time of the clock may be told as: from this one to that one. */
  told(span: Span): Span;
}

/** Backblaze B2 behind crypt; the clock is the server's, and stands still while a run works. */
export async function b2Place(t: TestContext, rclone: Rclone): Promise<Place> {
  // Restores look into the past alone.
  const server = await startB2(t, { now: Date.now() - 300 * day });
  const bare = await makeSandbox(t, rclone);
  const env = {
    ...bare.env,
    ...server.rcloneEnv("cloud"),
    RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
    RCLONE_CONFIG_HIDDEN_REMOTE: `cloud:${server.bucket}/some where`,
    RCLONE_CONFIG_HIDDEN_PASSWORD: emptyPassword,
  };
  return {
    title: "b2",
    box: withEnv(bare, env),
    destination: "hidden:data",
    config: "",
    now: () => server.clock.now(),
    pass: async (random) => server.clock.advance(Math.floor(1000 + random() ** 2 * 12 * day)),
    told: ({ from }) => ({ from, until: from }),
  };
}

/** A versioned bucket of moto; it cuts times to whole seconds. */
export async function s3Place(t: TestContext, rclone: Rclone): Promise<Place> {
  const server = await startMoto(t);
  await makeBucket(server, "backups", "Enabled");
  const bare = await makeSandbox(t, rclone);
  const options = [...server.options].map(
    ([name, value]) => [`RCLONE_CONFIG_CLOUD_${name.toUpperCase()}`, value] as const,
  );
  return {
    title: "s3",
    box: withEnv(bare, { ...bare.env, ...Object.fromEntries(options) }),
    destination: "cloud:backups/some where",
    config: "",
    ...realTime,
  };
}

/** Dated directories behind crypt, on the local disk. */
export async function dirPlace(t: TestContext, rclone: Rclone): Promise<Place> {
  return {
    title: "dir",
    box: await makeSandbox(t, rclone),
    destination: "secret:data",
    config: "[history]\nkind = dir\n",
    ...realTime,
  };
}

const realTime: Pick<Place, "now" | "pass" | "told"> = {
  now: () => Date.now(),
  pass: async () => {
    const next = Math.floor(Date.now() / second + 1) * second;
    while (Date.now() <= next) await sleep(next + 1 - Date.now());
  },
  told: ({ from, until }) => ({ from: Math.floor(from / second) * second, until }),
};

function withEnv(box: Sandbox, env: Readonly<Record<string, string>>): Sandbox {
  return {
    ...box,
    env,
    backup: (args, options) => box.backup(args, { ...options, env }),
    startBackup: (args, options) => box.startBackup(args, { ...options, env }),
  };
}

function isBuiltIn(policy: string): boolean {
  return /^[a-z]/.test(policy);
}

/** The backup of some sequences at a place, and the times at which anything happened. */
export class CommandBackup {
  readonly place: Place;
  readonly sequences: readonly Sequence[];
  readonly #random: () => number;
  readonly #onFailure: (sequence: Sequence) => void;
  /** When runs began and ended, as they may be told. */
  readonly #spans: Span[] = [];
  /** Kills by what the run was at, as the record tells. */
  readonly kills = { sync: 0, later: 0 };
  #restores = 0;

  constructor(
    place: Place,
    sequences: readonly Sequence[],
    random: () => number,
    onFailure: (sequence: Sequence) => void,
  ) {
    this.place = place;
    this.sequences = sequences;
    this.#random = random;
    this.#onFailure = onFailure;
  }

  /** Writes the configuration, a policy for each sequence, and the file that stays. */
  async begin(): Promise<void> {
    const { box, destination, config } = this.place;
    const policies = [...new Set(this.sequences.map(({ policy }) => policy))];
    const name = (policy: string): string =>
      isBuiltIn(policy) ? policy : `p${policies.indexOf(policy)}`;
    const own = policies.filter((policy) => !isBuiltIn(policy));
    const lines = [
      ...["[default]", `source = ${box.source}`, `destination = ${destination}`],
      ...["[guards]", "max_delete = off"],
      ...["[policies]", ...own.map((policy) => `${name(policy)} = ${policy}`)],
      "[retention]",
      ...this.sequences.map(({ directory, policy }) => `${directory}/ = ${name(policy)}`),
      config,
    ];
    await box.writeConfig("home", `${lines.join("\n")}\n`);
    await writeFile(path.join(box.source, stays), stays);
  }

  /** Changes the source and backs it up; with `killed` a first run dies somewhere in its work. */
  async night(killed: boolean): Promise<void> {
    const { place } = this;
    await place.pass(this.#random);
    const changes = new Map<Sequence, Change[]>();
    for (const sequence of this.sequences) {
      sequence.log.push(`-- ${new Date(place.now()).toISOString()}${killed ? ", killed" : ""}`);
      sequence.operate(place.now());
      changes.set(sequence, sequence.changes());
      for (const change of changes.get(sequence) ?? []) await this.#write(change);
    }
    const begun = place.now();
    if (killed) {
      await this.#kill();
      await place.pass(() => 0.001);
    }
    const from = place.now();
    const { code, stdout, stderr } = await place.box.backup(["home"]);
    assert.equal(code, 0, stderr + stdout);
    const span = place.told({ from, until: place.now() });
    const unsure = { from: killed ? place.told({ from: begun, until: begun }).from : span.from };
    this.#spans.push({ from: unsure.from, until: span.until });
    for (const [{ model }, list] of changes)
      for (const { path: name, before, now } of list) {
        model.set(name, span.until, now);
        model.doubt(name, unsure.from, span.until, [before, now]);
      }
  }

  async #kill(): Promise<void> {
    const { box } = this.place;
    const live = box.startBackup(["home"]);
    while (live.child.exitCode === null && (await readState(box))?.running !== true) await sleep(2);
    await sleep(this.#random() ** 2 * 700);
    if (this.#random() < 0.5) live.kill("SIGKILL");
    else live.killGroup("SIGKILL");
    await live.done;
    this.kills[(await readState(box))?.running === true ? "sync" : "later"] += 1;
  }

  async #write({ path: name, now }: Change): Promise<void> {
    const file = path.join(this.place.box.source, name);
    if (now === undefined) {
      await rm(file, { force: true });
      return;
    }
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, now.content);
    await utimes(file, now.modifiedAt / second, now.modifiedAt / second);
  }

  /** Prunes, and tells the model which versions may be gone now. */
  async prune(): Promise<void> {
    const now = this.place.now();
    const { code, stderr } = await this.#run("prune", ["--allow-clock", "home"]);
    assert.equal(code, 0, stderr);
    for (const { model, policy, log } of this.sequences) {
      log.push(`prune by ${policy} at ${new Date(now).toISOString()}`);
      for (const name of model.paths) {
        const must = keptBy(policy, model, name, now);
        // What may go or stay: both are right from here on.
        for (const { from } of model.kept(name)) if (!must.has(from)) model.mayBePruned(name, from);
      }
    }
  }

  /** A time by chance since the end of the first run, also in the middle of runs, and at their very ends. */
  someTime(): number {
    const first = this.#spans[0]?.until ?? 0;
    const last = this.place.now();
    const chance = this.#random();
    const span = this.#spans[Math.floor(this.#random() * this.#spans.length)];
    if (span === undefined || chance < 0.5)
      return Math.floor(first + this.#random() * (last - first));
    return Math.max(first, chance < 0.75 ? span.until : span.from - 1);
  }

  /** Restores as of a time, or what is there now, and holds it against the model. */
  async check(time: number | undefined, meant = time ?? this.place.now()): Promise<void> {
    const { box } = this.place;
    this.#restores += 1;
    const to = path.join(box.root, `restored ${this.#restores}`);
    const asOf = time === undefined ? [] : ["--as-of", new Date(time).toISOString()];
    await restoreJson(box, ["home", ...asOf, "--to", to]);
    const restored = await readTree(to);
    const tree = new Map(
      [...restored].map(([name, file]) => [Buffer.from(name, "latin1").toString(), file]),
    );
    await rm(to, { recursive: true });
    const what = time === undefined ? "now" : `as of ${new Date(time).toISOString()}`;
    assert.equal(tree.get(stays)?.content, stays, what);
    tree.delete(stays);
    for (const sequence of this.sequences)
      for (const name of sequence.model.paths) {
        const found = tree.get(name);
        tree.delete(name);
        const allowed = allowedAt(sequence.model, name, meant);
        const isRight = allowed.some(
          (file) => file?.content === found?.content && file?.modifiedAt === found?.time,
        );
        if (isRight) continue;
        this.#onFailure(sequence);
        const shown = found && { content: found.content, modifiedAt: found.time };
        assert.fail(
          `${name} ${what}: expected ${allowed.map(told).join(" or ")}, found ${told(shown)}`,
        );
      }
    assert.deepEqual([...tree.keys()], [], what);
  }

  /** Rolls the backup back to a time. */
  async rollBack(time: number): Promise<void> {
    await this.place.pass(this.#random);
    const asOf = new Date(time).toISOString();
    const { code, stderr } = await this.#run("recover", ["--as-of", asOf, "--yes", "home"]);
    assert.equal(code, 0, stderr);
  }

  #run(command: string, args: readonly string[]): ReturnType<typeof run> {
    const { box } = this.place;
    return run(process.execPath, [compiled(command), ...args], { cwd: box.root, env: box.env });
  }
}
