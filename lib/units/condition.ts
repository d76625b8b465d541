import { usage } from "../errors.ts";
import { parseAge } from "./age.ts";
import { parseBytes } from "./bytes.ts";
import { parsePercent } from "./percent.ts";
import { suggest } from "./suggest.ts";

interface Percent {
  readonly kind: "percent";
  /** 0 to 100. */
  readonly percent: number;
}
export type DataCondition = {
  readonly kind: "data";
  readonly limit: { readonly kind: "bytes"; readonly bytes: number } | Percent;
  /** Not even the last chosen file may go over the limit. */
  readonly hard: boolean;
};
export type FilesCondition = {
  readonly kind: "files";
  readonly limit: { readonly kind: "count"; readonly count: number } | Percent;
};
/** `spec` is valid for parseAge. */
export type AgeCondition = { readonly kind: "age"; readonly spec: string };

/** One condition of `--verify` or `[verify] conditions`. */
export type Condition =
  | { readonly kind: "all" }
  | DataCondition
  | FilesCondition
  | AgeCondition
  | { readonly kind: "hash" };

/** What to verify: every condition that is there must hold. */
export interface Conditions {
  readonly all: boolean;
  readonly hash: boolean;
  readonly data: DataCondition | undefined;
  readonly files: FilesCondition | undefined;
  readonly age: AgeCondition | undefined;
}

const examples = "all, data=1G, data=<10%, files=20, age=7d or hash";

/**
 * Reads `all`, `hash`, `data=[<]N[%]`, `files=N[%]` or `age=SPEC`.
 * Throws a usage failure on anything else.
 */
export function parseCondition(text: string): Condition {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  switch (name) {
    case "all":
    case "hash":
      if (value === undefined) return { kind: name };
      throw usage(`expected ${name} without a value, found ${JSON.stringify(text)}`);
    case "data":
      if (value) return parseData(value);
      break;
    case "files":
      if (value) return parseFiles(value);
      break;
    case "age":
      if (!value) break;
      parseAge(value);
      return { kind: "age", spec: value };
    default:
  }
  const near = suggest(name, ["all", "data", "files", "age", "hash"]);
  throw usage(`expected a condition (${examples}), found ${JSON.stringify(text)}`, {
    ...(near === undefined || near === name ? {} : { hint: `did you mean ${near}?` }),
  });
}

/**
 * Reads conditions that must hold together.
 * Throws a usage failure on a kind that is given twice, and on `all` beside any other,
 * which it would contradict. `all` with `hash` compares every file's checksum.
 */
export function parseConditions(list: readonly string[]): Conditions {
  const found = new Map<Condition["kind"], Condition>();
  for (const condition of list.map(parseCondition)) {
    if (found.has(condition.kind)) {
      throw usage(`expected each condition once, found ${condition.kind} twice`);
    }
    found.set(condition.kind, condition);
  }
  const data = found.get("data");
  const files = found.get("files");
  const age = found.get("age");
  const all = found.has("all");
  const beside = data ?? files ?? age ?? found.get("hash");
  if (all && beside !== undefined) {
    throw usage(`expected all alone, found ${beside.kind} beside it`, {
      hint:
        beside.kind === "hash"
          ? "hash alone compares every file"
          : `leave out all or ${beside.kind}`,
    });
  }
  return {
    all,
    hash: found.has("hash"),
    data: data?.kind === "data" ? data : undefined,
    files: files?.kind === "files" ? files : undefined,
    age: age?.kind === "age" ? age : undefined,
  };
}

/** The conditions of one text, separated by commas or white space; a date may hold a space. */
export function splitConditions(text: string): string[] {
  return text.split(/[\s,]+(?!\d\d:\d\d)/).filter((part) => part !== "");
}

function parseData(value: string): DataCondition {
  const hard = value.startsWith("<");
  const amount = hard ? value.slice(1) : value;
  const limit = amount.endsWith("%")
    ? ({ kind: "percent", percent: parsePercent(amount) } as const)
    : ({ kind: "bytes", bytes: parseBytes(amount) } as const);
  return { kind: "data", limit, hard };
}

function parseFiles(value: string): FilesCondition {
  if (value.endsWith("%")) {
    return { kind: "files", limit: { kind: "percent", percent: parsePercent(value) } };
  }
  const count = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(count)) {
    throw usage(`expected a number of files or a percentage, found ${JSON.stringify(value)}`, {
      hint: value.startsWith("<")
        ? "files is always a hard limit; leave out the <"
        : "such as files=20 or files=5%",
    });
  }
  return { kind: "files", limit: { kind: "count", count } };
}
