import type { NoticeEvent } from "../units/noticeevent.ts";
import type { Channel, NoticeWorld } from "./channel.ts";
import type { Notice } from "./notice.ts";
import { openSecret } from "./secret.ts";
import { ask } from "./web.ts";

/** What is longer ntfy makes an attachment of, which not every server takes: in bytes, below 4096. */
const longest = 3900;

/** A message to a topic of ntfy, by its header fields: https://docs.ntfy.sh/publish/ */
export function ntfyChannel(secretUrl: string, world: NoticeWorld): Channel {
  const what = "ntfy";
  return {
    kind: what,
    combines: true,
    async send(notice, options) {
      const url = await openSecret(what, secretUrl, world, options);
      const headers = {
        "content-type": "text/plain; charset=utf-8",
        title: headerText(notice.subject),
        priority: priorityOf(notice),
        tags: tagOf(notice),
      };
      const body = cut(notice.text, longest);
      await ask({ what, url, method: "POST", headers, body }, world.env, options);
    },
  };
}

const grave: ReadonlySet<NoticeEvent> = new Set(["failure", "refused", "difference", "missed"]);

function isGood({ phase, event }: Notice): boolean {
  return phase === "over" || event === "success";
}

/** From 1 to 5; 3 is usual. */
function priorityOf(notice: Notice): string {
  if (isGood(notice)) return "2";
  return grave.has(notice.event) ? "4" : "3";
}

function tagOf(notice: Notice): string {
  if (isGood(notice)) return "white_check_mark";
  return grave.has(notice.event) ? "rotating_light" : "warning";
}

/** Encoded words may have 75 characters: 45 bytes make 60 of them. */
const wordBytes = 45;

/**
 * Text for a header field: as it is where it is ASCII, else as encoded words of RFC 2047, which ntfy
 * reads. The words end between characters.
 */
export function headerText(text: string): string {
  if (/^[\x20-\x7E]*$/.test(text) && !text.includes("=?")) return text;
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > wordBytes) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word]
    .map((each) => `=?UTF-8?B?${Buffer.from(each, "utf8").toString("base64")}?=`)
    .join(" ");
}

/** At most so many bytes of UTF-8, cut between characters, with a sign that something is missing. */
export function cut(text: string, bytes: number): string {
  const whole = Buffer.from(text, "utf8");
  if (whole.length <= bytes) return text;
  let end = bytes - 4;
  while (((whole[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${whole.toString("utf8", 0, end)}\n…`;
}
