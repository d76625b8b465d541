import { usage } from "../errors.ts";
import { keys as configKeys } from "../config/definition.ts";
import type { Key } from "../config/keys.ts";
import { optional, withDefault } from "../config/keys.ts";
import { count, duration, shell, size, type Kind } from "../config/kinds.ts";
import { httpUrl, zone } from "../config/nightkinds.ts";
import { quoted } from "../config/problem.ts";

const section = "suite";

const transactions: Kind<number> = {
  name: "number",
  expects: "a whole number from 1 on",
  pattern: "^[1-9][0-9]{0,11}$",
  parse(text) {
    if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
    throw usage(`expected a whole number from 1 on, found ${quoted(text)}`);
  },
};

/** A key of [notify] as a setting of the whole. */
function forAll<T>(key: Key<T>, summary: string, example = key.example): Key<T> {
  return { ...key, section, name: `NOTIFY_${key.name.toUpperCase()}`, summary, example };
}

/**
 * Every setting of the whole, in the order of docs/settings.md. An empty value is as good as none.
 */
export const settingKeys = {
  canary: optional(httpUrl, {
    section,
    name: "CANARY",
    summary:
      "A URL that is fetched when a run has succeeded and the last state of every backup is good.",
    example: "https://ping.example/2b3f",
  }),
  canaryStart: optional(httpUrl, {
    section,
    name: "CANARY_START",
    summary: "A URL that is fetched when a run begins.",
    example: "https://ping.example/2b3f/start",
  }),
  canaryFail: optional(httpUrl, {
    section,
    name: "CANARY_FAIL",
    summary: "A URL that is fetched when not all backups of a run have succeeded.",
    example: "https://ping.example/2b3f/fail",
  }),
  verifyBudget: withDefault(size, "1G", {
    section,
    name: "VERIFY_BUDGET",
    summary: "How much all backups together read back in a day to verify it; 0 is nothing.",
    example: "5G",
  }),
  verifyTransactions: optional(transactions, {
    section,
    name: "VERIFY_TRANSACTIONS",
    summary:
      "How many files or parts of files that may be at most, where the store takes money for each.",
    example: "2500",
  }),
  verifyDay: withDefault(zone, "UTC", {
    section,
    name: "VERIFY_DAY",
    summary: "The time zone in which the provider's day begins at midnight.",
    example: "America/Los_Angeles",
  }),
  jobs: withDefault(count, "4", {
    section,
    name: "JOBS",
    summary: "How many backups run at once.",
    example: "2",
  }),
  beforeAll: optional(shell, {
    section,
    name: "BEFORE_ALL",
    summary: "Runs before the first backup of a run.",
    example: "'mount /mnt/backup'",
  }),
  afterAll: optional(shell, {
    section,
    name: "AFTER_ALL",
    summary: "Runs after the last backup of a run, whatever came of it.",
    example: "'umount /mnt/backup'",
  }),
  hookTimeout: withDefault(duration, "1h", {
    section,
    name: "HOOK_TIMEOUT",
    summary: "How long each of these two may run before it is ended.",
    example: "10m",
  }),
  mail: forAll(
    configKeys.mail,
    "Who gets notices of all backups by mail, by `sendmail` or by `NOTIFY_SMTP`.",
    "'me@example.org, root'",
  ),
  mailFrom: forAll(configKeys.mailFrom, "The sender of these mails."),
  smtp: forAll(configKeys.smtp, "The server that sends these mails."),
  webhook: forAll(configKeys.webhook, "Gets each notice as JSON, by POST."),
  webhookTemplate: forAll(
    configKeys.webhookTemplate,
    "A file with the JSON that the webhook gets instead.",
    "/etc/rclone-backups/webhook.json",
  ),
  ntfy: forAll(configKeys.ntfy, "A topic of ntfy, as a URL."),
  command: forAll(
    configKeys.noticeCommand,
    "Gets each notice: in its environment, and the text on its standard input.",
    `'logger -p user.warning "$NOTICE_SUBJECT"'`,
  ),
  on: forAll(configKeys.on, "What there are notices of.", "'failure refused difference missed'"),
  remind: forAll(
    configKeys.remind,
    "How long after a notice it is repeated while what it tells of lasts.",
  ),
};

export const allSettings: readonly Key<unknown>[] = Object.values(settingKeys);
