import type { ServiceOptions } from "../../lib/service/options.ts";

/** A machine with one backup of /srv/data to a disk. */
export const plainOptions: ServiceOptions = {
  command: ["/usr/bin/rclone-backups"],
  path: ["/usr/local/bin", "/usr/bin", "/bin"],
  env: { RCLONE_BACKUPS_DIR: "/etc/rclone-backups" },
  scope: "system",
  home: "/root",
  user: "root",
  state: "/var/lib/rclone-backups",
  at: undefined,
  schedules: "none",
  logFile: undefined,
  access: { used: ["/srv/data", "/mnt/backup"], writable: ["/mnt/backup", "/srv/data"] },
  localMail: false,
  credentials: [],
};

/** From what the files in cron/ are made: nothing is known of the machine or its backups. */
export const packagedOptions: ServiceOptions = {
  ...plainOptions,
  command: ["rclone-backups"],
  path: ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
  env: {},
  access: { used: ["/"], writable: ["/"] },
};
