import { list, optional, withDefault } from "./keys.ts";
import { boolean, fileBeside, shell } from "./kinds.ts";
import {
  addresses,
  cron,
  events,
  httpUrl,
  interval,
  load,
  sender,
  smtpUrl,
  zone,
} from "./nightkinds.ts";

/** Keys of [schedule]. */
export const scheduleKeys = {
  cron: optional(cron, {
    section: "schedule",
    name: "cron",
    summary:
      "When `rclone-backups run --due` runs this backup. A time that was missed is caught up once, by the next such run. Without it, the backup is due at every run.",
    example: "30 3 * * *",
  }),
  timeZone: optional(zone, {
    section: "schedule",
    name: "time_zone",
    summary: "Where the clock hangs that `cron` goes by; without it, the system's time zone.",
    example: "Europe/Berlin",
  }),
  skipUnless: optional(shell, {
    section: "schedule",
    name: "skip_unless",
    summary: "A command that decides whether the backup runs: any exit code but 0 skips it.",
    example: "test -e /run/exports-complete",
  }),
  requireNetwork: withDefault(boolean, "no", {
    section: "schedule",
    name: "require_network",
    summary: "Skip the backup while this machine has no network.",
    example: "yes",
  }),
  requirePower: withDefault(boolean, "no", {
    section: "schedule",
    name: "require_power",
    summary: "Skip the backup while this machine runs on battery.",
    example: "yes",
  }),
  maxLoad: optional(load, {
    section: "schedule",
    name: "max_load",
    summary:
      "Skip the backup while the load of the last minute (the first number of `uptime`) is more than this for each processor.",
    example: "1.5",
  }),
  probe: withDefault(boolean, "yes", {
    section: "schedule",
    name: "probe",
    summary:
      "Skip the backup while the host of an `sftp`, `ftp`, `smb`, `webdav` or `http` destination takes no connections.",
    example: "no",
  }),
};

/** Keys of [notify]. */
export const notifyKeys = {
  mail: list(addresses, {
    section: "notify",
    name: "mail",
    summary: "Who gets notices by mail, by `sendmail` or by `smtp`.",
    example: "me@example.org, root",
  }),
  mailFrom: optional(sender, {
    section: "notify",
    name: "mail_from",
    summary: "The sender of these mails; without it, the user at this machine.",
    example: "backup@example.org",
  }),
  smtp: optional(smtpUrl, {
    section: "notify",
    name: "smtp",
    summary:
      "The server that sends the mails, `smtps://USER:PASSWORD@HOST:PORT`; without it, `sendmail` does.",
    example: "file:/etc/rclone-backups/smtp",
  }),
  webhook: optional(httpUrl, {
    section: "notify",
    name: "webhook",
    summary: "Gets each notice as JSON, by POST.",
    example: "file:/etc/rclone-backups/webhook",
  }),
  webhookTemplate: optional(fileBeside, {
    section: "notify",
    name: "webhook_template",
    summary: "A file with the JSON that the webhook gets instead, with `{{subject}}` and the like.",
    example: "/etc/rclone-backups/webhook.json",
  }),
  ntfy: optional(httpUrl, {
    section: "notify",
    name: "ntfy",
    summary: "A topic of ntfy, as a URL.",
    example: "https://ntfy.example/backups",
  }),
  ping: optional(httpUrl, {
    section: "notify",
    name: "ping",
    summary:
      "A URL that is fetched when a run of this backup has succeeded; with `/start` and `/fail` behind it when one begins and when one fails.",
    example: "https://ping.example/2b3f",
  }),
  noticeCommand: optional(shell, {
    section: "notify",
    name: "command",
    summary: "Gets each notice: in its environment, and the text on its standard input.",
    example: 'logger -p user.warning "$NOTICE_SUBJECT"',
  }),
  on: withDefault(events, "warning failure refused difference skipped missed suppressed coverage", {
    section: "notify",
    name: "on",
    summary: "What there are notices of.",
    example: "failure, refused, difference, missed",
  }),
  remind: withDefault(interval, "7d", {
    section: "notify",
    name: "remind",
    summary: "How long after a notice it is repeated while what it tells of lasts.",
    example: "1d",
  }),
};
