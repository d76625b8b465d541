import assert from "node:assert/strict";
import type { Block, Step } from "./pages.ts";
import { matches, stepsOf } from "./pages.ts";
import type { StepResult } from "./pageworld.ts";

/** How many blocks of each kind a page has, those left out that readers don't see. */
export function countBlocks(blocks: readonly Block[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of blocks) if (kind !== "hidden") counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The steps of what a page shows and hides as commands. */
export function commandsOf(blocks: readonly Block[]): Step[] {
  return blocks
    .filter(({ kind }) => kind === "console" || kind === "hidden")
    .flatMap((block) => stepsOf(block));
}

/** A command succeeds, unless `echo $?` follows it; every one prints what stands below it. */
export function checkSteps(name: string, results: readonly StepResult[]): void {
  for (const [at, { step, code, output }] of results.entries()) {
    const where = `${name}:${step.line}: ${step.command}`;
    if (results[at + 1]?.step.command !== "echo $?")
      assert.equal(code, 0, `${where}\nended with ${code}\n${output}`);
    if (!step.hidden && !matches(step.expected, output))
      assert.equal(output, step.expected.join("\n"), where);
  }
}

/**
 * A json block is what the last command of the console block before it printed at its end, laid out.
 * Returns how many were compared.
 */
export function checkJson(
  name: string,
  blocks: readonly Block[],
  results: readonly StepResult[],
): number {
  let compared = 0;
  for (const [at, block] of blocks.entries()) {
    if (block.kind !== "json") continue;
    const before = blocks[at - 1];
    assert.equal(before?.kind, "console", `${name}:${block.line}: no command before it`);
    const line = before === undefined ? undefined : stepsOf(before).at(-1)?.line;
    const output = results.find(({ step }) => step.line === line)?.output ?? "";
    const document = output.split("\n").findLast((text) => text.startsWith("{")) ?? "";
    const actual = JSON.stringify(JSON.parse(document), undefined, 2);
    const shown = JSON.stringify(JSON.parse(block.text), undefined, 2);
    if (!matches(shown.split("\n"), actual)) assert.equal(actual, shown, `${name}:${block.line}`);
    compared += 1;
  }
  return compared;
}
