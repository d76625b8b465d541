import type { SetFile } from "../../chunks/manifest.ts";
import { sectionLabel } from "../../chunks/names.ts";
import type { TakenSection } from "../../chunks/replace.ts";
import type { Section } from "../../chunks/section.ts";
import type { Stager, Taken } from "../../chunks/stage.ts";
import type { ChunkTaker, ExpectedChunk } from "./cutting.ts";

interface OpenSection extends TakenSection {
  /** Sections of the same label are counted from 0. */
  readonly occurrence: number;
  readonly chunks: Taken[];
}

/** Books the chunks of a dump by their sections, as they are taken. */
export class ChunkBook implements ChunkTaker {
  bytes = 0;
  readonly #stager: Stager;
  readonly #sections: OpenSection[] = [];
  readonly #occurrences = new Map<string, number>();
  readonly #followers = new WeakMap<ExpectedChunk, SetFile>();

  constructor(stager: Stager) {
    this.#stager = stager;
  }

  /** In their order; those that hold no bytes are not among them. */
  get sections(): readonly TakenSection[] {
    return this.#sections;
  }

  expect(section: Section): ExpectedChunk | undefined {
    const { label, occurrence, chunks } = this.#known(section);
    const file = this.#stager.follower(label, occurrence, chunks);
    if (file === undefined) return undefined;
    const expected = {
      bytes: file.bytes,
      isEqual: (chunk: Buffer) => this.#stager.isEqual(file.name, chunk),
    };
    this.#followers.set(expected, file);
    return expected;
  }

  async takeAhead(section: Section, bytes: Buffer): Promise<void> {
    const { label, occurrence } = this.#known(section);
    await this.#stager.takeAhead(label, occurrence, bytes);
  }

  async take(section: Section, bytes: Buffer, equal: ExpectedChunk | undefined): Promise<void> {
    const found = this.#known(section);
    const { label, occurrence, chunks } = found;
    if (this.#sections.at(-1) !== found) {
      this.#sections.push(found);
      this.#occurrences.set(label, occurrence + 1);
    }
    this.bytes += bytes.length;
    const follower = equal === undefined ? undefined : this.#followers.get(equal);
    if (follower !== undefined) {
      chunks.push(this.#stager.takeEqual(label, occurrence, follower));
      return;
    }
    const taken = this.#stager.take(label, occurrence, bytes);
    // A place of its own at once: chunks are taken side by side.
    const index = chunks.push({ hash: "", bytes: 0, same: undefined, staged: undefined }) - 1;
    chunks[index] = await taken;
  }

  #known(section: Section): OpenSection {
    const last = this.#sections.at(-1);
    if (last?.section === section) return last;
    const label = sectionLabel(section);
    return { section, label, occurrence: this.#occurrences.get(label) ?? 0, chunks: [] };
  }
}
