// One random sequence of operations on the source of a backup, below a directory of its own.
import { Model, type ModelFile } from "./model.ts";
import { generator } from "./restoring.ts";

/** What a run has to do to one path of the destination. */
export interface Change {
  readonly path: string;
  readonly before: ModelFile | undefined;
  readonly now: ModelFile | undefined;
}

const policies: readonly string[] = [
  "1 7 * 30 ?",
  "1 2 3 4 5 6 7 * 30 * 365 ?",
  "2 * 9 14 * 50",
  "3 ? 20 *",
  "4 ?",
  "1 10 *",
  "5",
  "none",
  "forever",
];

/** Whether only the modification time differs. */
export function isTouch({ before, now }: Omit<Change, "path">): boolean {
  return before !== undefined && before.content === now?.content;
}

/** A source that changes by chance, and the model of its backup. */
export class Sequence {
  readonly model = new Model();
  readonly random: () => number;
  /** The policy of its files. */
  readonly policy: string;
  /** What was done, for whoever looks into a failure. */
  readonly log: string[] = [];
  readonly index: number;
  readonly directory: string;
  readonly source = new Map<string, ModelFile>();
  readonly #names: readonly string[];
  readonly #gone: ModelFile[] = [];
  #serial = 0;

  constructor(base: number, index: number, names: readonly string[]) {
    this.random = generator(Math.imul(base ^ 0x5bd1_e995, 0x9e37_79b1) + Math.imul(index, 7919));
    this.index = index;
    this.directory = `s${String(index).padStart(4, "0")}`;
    const files = 1 + Math.floor(this.random() * 3);
    const first = Math.floor(this.random() * names.length);
    this.#names = Array.from(
      { length: files },
      (_, at) => `${this.directory}/${names[(first + at) % names.length] ?? "x"}`,
    );
    this.policy = this.pick(policies) ?? "forever";
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  /** Up to three operations on the source; none of them happens twice in the same way. */
  operate(now: number): void {
    const count = Math.floor(this.random() * 4);
    for (let turn = 0; turn < count; turn += 1) {
      const path = this.pick(this.#names) ?? "";
      const there = this.source.get(path);
      const chance = this.random();
      this.#serial += 1;
      // Times in whole seconds that no two files of a sequence share.
      const modifiedAt = Math.floor(now / 1000) * 1000 - 7_200_000 + this.#serial * 7000;
      if (there !== undefined && chance < 0.3) {
        this.source.delete(path);
        this.#gone.push(there);
        this.log.push(`delete ${path}`);
      } else if (there !== undefined && chance < 0.42) {
        this.source.set(path, { ...there, modifiedAt });
        this.log.push(`touch ${path} ${modifiedAt}`);
      } else if (there === undefined && chance < 0.3 && this.#gone.length > 0) {
        const old = this.pick(this.#gone);
        if (old === undefined) continue;
        this.source.set(path, old);
        this.log.push(`recreate ${path} ${told(old)}`);
      } else {
        const length = Math.floor(this.random() * 12);
        const content = `${this.directory} ${this.#serial} ${"x".repeat(length)}`;
        this.source.set(path, { content, modifiedAt });
        this.log.push(`write ${path} ${told({ content, modifiedAt })}`);
      }
    }
  }

  /** What a run would do, in an order by chance. */
  changes(): Change[] {
    const paths = new Set([...this.model.paths, ...this.source.keys()]);
    const changes = [...paths].toSorted().flatMap((path) => {
      const [before, now] = [this.model.current(path), this.source.get(path)];
      const isSame = before?.content === now?.content && before?.modifiedAt === now?.modifiedAt;
      return isSame ? [] : [{ path, before, now, order: this.random() }];
    });
    return changes.toSorted((a, b) => a.order - b.order);
  }
}

/** A file as a log tells it. */
export function told(file: ModelFile | undefined): string {
  return file === undefined ? "nothing" : `${JSON.stringify(file.content)} @${file.modifiedAt}`;
}
