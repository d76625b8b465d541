/** A text to be written somewhere. */
export interface ServiceFile {
  /** Absolute. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** A file with a secret that the service manager hands to the service by a name. */
export interface Credential {
  readonly name: string;
  /** Absolute. */
  readonly file: string;
}

export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

/** What backups touch on this machine; absolute paths without links. */
export interface Access {
  /** Sources and destinations, and files that are read beside them. */
  readonly used: readonly string[];
  /** Directories that are there and that a run writes to, its state aside. */
  readonly writable: readonly string[];
}

/** From what all texts are made. */
export interface ServiceOptions {
  /** How rclone-backups is started; the program's path is absolute. */
  readonly command: readonly string[];
  /** Directories of PATH. */
  readonly path: readonly string[];
  /** Variables beside PATH that say where things are. */
  readonly env: Readonly<Record<string, string>>;
  /** Of the machine, or of one user who has no say about the rest of it. */
  readonly scope: "system" | "user";
  /** Home directory of who will own the files. */
  readonly home: string;
  /** Who the backups run as. */
  readonly user: string;
  /** Absolute path of the state directory. */
  readonly state: string;
  /** When the daily run starts; undefined for the usual time. */
  readonly at: TimeOfDay | undefined;
  /** How many of the configurations have a schedule of their own. */
  readonly schedules: "none" | "some" | "all";
  /** Where output is appended to, instead of where the kind of service puts it. */
  readonly logFile: string | undefined;
  readonly access: Access;
  /** Mail is handed to the sendmail of this machine. */
  readonly localMail: boolean;
  readonly credentials: readonly Credential[];
}

/** A command that is started again and again. */
export interface PlannedRun {
  /** Of units and files. */
  readonly name: string;
  readonly what: string;
  readonly every: "day" | "quarter";
  readonly args: readonly string[];
}

/**
 * The daily run, and beside it a look every quarter of an hour if a configuration has a schedule. If all
 * have one, there is no daily run.
 */
export function plannedRuns(schedules: ServiceOptions["schedules"]): PlannedRun[] {
  const daily: PlannedRun = {
    name: "rclone-backups",
    what: "All backups of rclone-backups",
    every: "day",
    args: ["run"],
  };
  const due: PlannedRun = {
    name: "rclone-backups-due",
    what: "Backups of rclone-backups that are due",
    every: "quarter",
    args: ["run", "--due"],
  };
  return [...(schedules === "all" ? [] : [daily]), ...(schedules === "none" ? [] : [due])];
}

/** When the daily run starts unless something else is said. */
export const usualTime: TimeOfDay = { hour: 3, minute: 0 };
