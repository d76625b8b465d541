// What every kind of store promises. A kind joins by a maker; test/stores-contract.test.ts runs them.
import { buffer } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import type { Store, StoredVersion } from "../../lib/stores/store.ts";
import { rawFromText, textFromRaw, type RawPath } from "../../lib/units/rawpath.ts";

/** A file as a backup would store it. */
export interface Put {
  readonly name: RawPath;
  readonly content: string | Buffer;
  /** Milliseconds since 1970, whole seconds. */
  readonly modifiedAt: number;
}

/** A store that a test may fill as a backup would. */
export interface MadeStore {
  readonly store: Store;
  /** Stores files, over those that are there. */
  readonly put: (files: readonly Put[]) => Promise<void>;
  /** Deletes files as a backup does, so that their versions stay. */
  readonly remove: (names: readonly RawPath[]) => Promise<void>;
  /** Time goes on, and the next run begins: what is done before and after differs in `storedAt`. */
  readonly step: () => Promise<void>;
  /** Hides names and makes versions current in one go, where the kind can; else one by one. */
  readonly change?: (wanted: {
    readonly hide: readonly RawPath[];
    readonly restore: readonly StoredVersion[];
  }) => Promise<void>;
}

export interface MakeOptions {
  /** Versions in a page, where the kind has pages. */
  readonly pageSize?: number;
}

/** How a kind of store comes into a test; it is closed and cleaned up after the test. */
export interface StoreMaker {
  readonly title: string;
  readonly make: (t: TestContext, options?: MakeOptions) => Promise<MadeStore>;
  /** Files in the test of many pages; 500 (with 2,500 versions) unless given. */
  readonly many?: number;
  /** Whether it takes a name; every one unless given. */
  readonly takes?: (name: RawPath) => boolean;
  /** Whether it tells that a version was gone already; yes unless given. */
  readonly tellsGone?: boolean;
  /** Whether a file may have the name of a directory; yes unless given. */
  readonly besideDirectory?: boolean;
  /** Whether a marker stays when no version is left below it; yes unless given. */
  readonly keepsMarkers?: boolean;
}

const day = 86_400_000;
const then = Date.UTC(2025, 5, 1);

/** The raw path of a name in a test. */
export function raw(text: string): RawPath {
  return rawFromText(text);
}

/** A file to put. */
function file(name: string, content: string | Buffer, days = 0): Put {
  return { name: raw(name), content, modifiedAt: then + days * day };
}

/** All that a listing yields. */
export async function all(
  store: Store,
  prefix = "",
  signal?: AbortSignal,
): Promise<StoredVersion[]> {
  const found: StoredVersion[] = [];
  for await (const page of store.versions(raw(prefix), signal)) found.push(...page);
  return found;
}

/** The content of a version or a range of it. */
export async function read(
  store: Store,
  version: StoredVersion,
  range?: { readonly start: number; readonly length?: number },
): Promise<string> {
  return (await buffer(await store.open(version, range))).toString();
}

/** What a test compares: name, kind and size, in order. */
function told(versions: readonly StoredVersion[]): string[] {
  return versions.map(
    ({ name, kind, size }) => `${textFromRaw(name)} ${kind === "marker" ? "deleted" : size}`,
  );
}

function first(versions: readonly StoredVersion[]): StoredVersion {
  const [version] = versions;
  assert.ok(version !== undefined, "expected a version, found none");
  return version;
}

/** Names that have gone wrong somewhere, in rclone's standard encoding. */
const nastyNames = [
  "a b",
  " leading space",
  "trailing space ",
  "trailing dot.",
  "trailing dots...",
  "...",
  "plus+plus",
  "per%20cent 100%",
  "question?hash#ampersand&equals=",
  "star*[brackets]{braces}~tilde",
  "quotes\"'`",
  "semi;colon:comma,",
  "back\\slash",
  "wide＼slash",
  "line␊feed and tab␉ and del␡",
  "‛‛quoted ‛␊",
  "bold <b> & <amp;>",
  "ünïcödé",
  "u\u0308 decomposed",
  "日本語/ディレクトリ",
  "emoji 😀",
  "private \u{f0000} and \u{ff5e}",
  "-dash",
  "deep/er/and/deep er/still",
  "x".repeat(200),
];

/** Runs the contract against one kind of store. */
export function storeContract(maker: StoreMaker): void {
  const title = (text: string): string => `${maker.title}: ${text}`;

  test(title("an empty place has no versions"), async (t) => {
    const { store } = await maker.make(t);
    assert.deepEqual(await all(store), []);
    assert.deepEqual(await store.versionsOf(raw("nothing")), []);
  });

  test(title("versions come by name, of one name newest first"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    await put([file("b", "1"), file("a/x", "12"), file("a.x", "123"), file("Z", "1234")]);
    await step();
    await put([file("b", "12345", 1)]);
    await step();
    await remove([raw("b")]);
    await step();
    await put([file("b", "123456", 2)]);
    const versions = await all(store);
    assert.deepEqual(told(versions), ["Z 4", "a.x 3", "a/x 2", "b 6", "b deleted", "b 5", "b 1"]);
    const times = versions.slice(3).map((version) => version.storedAt);
    assert.deepEqual(
      times,
      times.toSorted((x, y) => y - x),
    );
    assert.equal(new Set(versions.map((version) => `${version.name} ${version.id}`)).size, 7);
    const files = versions.filter((version) => version.kind === "file");
    for (const version of files)
      if (version.modifiedAt !== undefined) assert.equal((version.modifiedAt - then) % day, 0);
  });

  test(title("a prefix ends at a path boundary"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    const names = ["foo.txt", "foo/a", "foo/b/c", "foobar", "foo bar/a", "fo/foo/a"];
    if (maker.besideDirectory !== false) names.push("foo");
    await put(names.map((name) => file(name, name)));
    await step();
    await remove([raw("foobar"), raw("foo/a")]);
    assert.deepEqual(told(await all(store, "foo/")), ["foo/a deleted", "foo/a 5", "foo/b/c 7"]);
    assert.deepEqual(told(await all(store, "foo/b/")), ["foo/b/c 7"]);
    assert.deepEqual(told(await all(store, "fo/")), ["fo/foo/a 8"]);
    assert.deepEqual(await all(store, "f/"), []);
    await assert.rejects(all(store, "foo"));
  });

  test(title("versionsOf tells of exactly one name"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    await put([file("foo", "1"), file("foobar", "2"), file("foo.d/x", "3"), file("fo", "4")]);
    await step();
    await remove([raw("foo")]);
    assert.deepEqual(told(await store.versionsOf(raw("foo"))), ["foo deleted", "foo 1"]);
    assert.deepEqual(told(await store.versionsOf(raw("foo."))), []);
    assert.deepEqual(told(await store.versionsOf(raw("foo.d"))), []);
    assert.deepEqual(told(await store.versionsOf(raw("foo.d/x"))), ["foo.d/x 1"]);
    await assert.rejects(store.versionsOf(raw("")));
  });

  test(title("each version opens with its own content, in ranges too"), async (t) => {
    const { store, put, step } = await maker.make(t);
    await put([file("f", "the old content"), file("empty", "")]);
    await step();
    await put([file("f", "what is there now", 1)]);
    const [now, old] = await store.versionsOf(raw("f"));
    assert.ok(now !== undefined && old !== undefined);
    assert.equal(await read(store, now), "what is there now");
    assert.equal(await read(store, old), "the old content");
    assert.equal(await read(store, old, { start: 4 }), "old content");
    assert.equal(await read(store, old, { start: 4, length: 3 }), "old");
    assert.equal(await read(store, old, { start: 0, length: 1 }), "t");
    assert.equal(await read(store, old, { start: 8, length: 1000 }), "content");
    assert.equal(await read(store, old, { start: 15 }), "");
    assert.equal(await read(store, first(await store.versionsOf(raw("empty")))), "");
  });

  test(title("a marker has no content"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    await put([file("f", "x")]);
    await step();
    await remove([raw("f")]);
    const marker = first(await store.versionsOf(raw("f")));
    assert.equal(marker.kind, "marker");
    await assert.rejects(store.open(marker));
    await assert.rejects(store.makeCurrent(marker));
  });

  test(title("removing takes exactly these versions, and once"), async (t) => {
    const { store, put, step } = await maker.make(t);
    await put([file("a", "1"), file("b", "1")]);
    await step();
    await put([file("a", "22", 1), file("b", "22", 1)]);
    await step();
    await put([file("a", "333", 2), file("b", "333", 2)]);
    const [, middle] = await store.versionsOf(raw("a"));
    const [, , oldest] = await store.versionsOf(raw("b"));
    assert.ok(middle !== undefined && oldest !== undefined);
    const removed = await store.remove([middle, oldest]);
    assert.deepEqual(
      removed.map(({ version, result }) => `${version.name} ${version.size} ${result}`),
      ["a 2 removed", "b 1 removed"],
    );
    assert.deepEqual(told(await all(store)), ["a 3", "a 1", "b 3", "b 2"]);
    const again = await store.remove([middle, oldest]);
    assert.deepEqual(
      again.map(({ result }) => result),
      maker.tellsGone === false ? ["removed", "removed"] : ["gone", "gone"],
    );
    assert.deepEqual(told(await all(store)), ["a 3", "a 1", "b 3", "b 2"]);
    assert.deepEqual(await store.remove([]), []);
  });

  test(title("two versions of one name are not removed in one call"), async (t) => {
    const { store, put, step } = await maker.make(t);
    await put([file("a", "1")]);
    await step();
    await put([file("a", "22", 1)]);
    await assert.rejects(store.remove(await store.versionsOf(raw("a"))));
    assert.deepEqual(told(await all(store)), ["a 2", "a 1"]);
  });

  test(title("removing a marker brings the version below it back"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    await put([file("a", "1")]);
    await step();
    await remove([raw("a")]);
    const marker = first(await store.versionsOf(raw("a")));
    assert.equal((await store.remove([marker]))[0]?.result, "removed");
    const versions = await store.versionsOf(raw("a"));
    assert.deepEqual(told(versions), ["a 1"]);
    assert.equal(await read(store, first(versions)), "1");
  });

  test(title("many names are removed in one call"), async (t) => {
    const { store, put } = await maker.make(t);
    await put(Array.from({ length: 60 }, (_, at) => file(`d/${at}`, "x".repeat(at))));
    await put([file("stays", "y")]);
    const removed = await store.remove(await all(store, "d/"));
    assert.equal(removed.filter(({ result }) => result === "removed").length, 60);
    assert.deepEqual(told(await all(store)), ["stays 1"]);
  });

  test(title("hiding adds a marker, and the versions stay"), async (t) => {
    const { store, put, step } = await maker.make(t);
    await put([file("a", "1"), file("ab", "2")]);
    await step();
    await store.hide(raw("a"));
    const versions = await all(store);
    assert.deepEqual(told(versions), ["a deleted", "a 1", "ab 1"]);
    const [marker, old] = versions;
    assert.ok(marker !== undefined && old !== undefined);
    assert.ok(marker.storedAt >= old.storedAt);
    assert.equal(await read(store, old), "1");
  });

  test(title("an older version becomes current by a copy that keeps its time"), async (t) => {
    const { store, put, remove, step } = await maker.make(t);
    await put([file("a", "good"), file("b", "kept")]);
    await step();
    await put([file("a", "damaged", 1)]);
    await remove([raw("b")]);
    await step();
    const [, good] = await store.versionsOf(raw("a"));
    const [, kept] = await store.versionsOf(raw("b"));
    assert.ok(good !== undefined && kept !== undefined);
    await store.makeCurrent(good);
    await store.makeCurrent(kept);
    const versions = await all(store);
    assert.deepEqual(told(versions), ["a 4", "a 7", "a 4", "b 4", "b deleted", "b 4"]);
    for (const [name, content, before] of [
      ["a", "good", good],
      ["b", "kept", kept],
    ] as const) {
      const now = first(await store.versionsOf(raw(name)));
      assert.equal(await read(store, now), content);
      assert.equal(now.modifiedAt, before.modifiedAt);
      assert.notEqual(now.id, before.id);
    }
  });

  test(title("any name is listed, read, hidden, copied and removed"), async (t) => {
    const { store, put, step, change } = await maker.make(t);
    const names = nastyNames.filter((name) => maker.takes?.(raw(name)) ?? true);
    assert.ok(names.length > 5);
    await put(names.map((name) => file(name, `content of ${name}`)));
    const versions = await all(store);
    assert.deepEqual(versions.map(({ name }) => textFromRaw(name)).toSorted(), names.toSorted());
    for (const version of versions) {
      assert.equal(await read(store, version), `content of ${textFromRaw(version.name)}`);
      assert.deepEqual(told(await store.versionsOf(version.name)), told([version]));
    }
    await step();
    if (change === undefined) for (const { name } of versions) await store.hide(name);
    else await change({ hide: versions.map(({ name }) => name), restore: [] });
    await step();
    if (change === undefined) for (const version of versions) await store.makeCurrent(version);
    else await change({ hide: [], restore: versions });
    const changed = await all(store);
    assert.deepEqual(
      names.map((name) =>
        changed.filter((each) => each.name === raw(name)).map(({ kind }) => kind),
      ),
      names.map(() => ["file", "marker", "file"]),
    );
    assert.equal(changed.length, 3 * names.length);
    const removed = await store.remove(versions);
    assert.ok(removed.every(({ result }) => result === "removed"));
    const left = maker.keepsMarkers === false ? 1 : 2;
    assert.equal((await all(store)).length, left * names.length);
  });

  test(title("many versions in small pages, each once and in order"), async (t) => {
    const { store, put, step } = await maker.make(t, { pageSize: 70 });
    const many = maker.many ?? 500;
    const files = Array.from({ length: many }, (_, at) => `d${at % 7}/${at}`);
    for (let round = 0; round < 5; round += 1) {
      await put(files.map((name) => file(name, "x".repeat(round), round)));
      await step();
    }
    const versions = await all(store);
    const expected = files
      .toSorted()
      .flatMap((name) => [4, 3, 2, 1, 0].map((size) => `${name} ${size}`));
    assert.deepEqual(told(versions), expected);
    assert.equal(new Set(versions.map(({ name, id }) => `${name} ${id}`)).size, many * 5);
  });

  test(title("a listing that is no longer wanted stops"), async (t) => {
    const { store, put } = await maker.make(t, { pageSize: 2 });
    await put(Array.from({ length: 9 }, (_, at) => file(`${at}`, "x")));
    for await (const page of store.versions(raw(""))) {
      assert.ok(page.length > 0);
      break;
    }
    assert.equal((await all(store)).length, 9);
    const reason = new Error("enough");
    await assert.rejects(all(store, "", AbortSignal.abort(reason)), reason);
  });

  test(title("without unfinished uploads none are told"), async (t) => {
    const { store, put } = await maker.make(t);
    await put([file("a", "1")]);
    for await (const page of store.unfinished(raw(""))) assert.deepEqual(page, []);
  });
}
