/** Tells a service manager what a run is at, as `systemctl status` shows it. Never throws. */
export interface Notifier {
  /** The service has started: has to come before a service of Type=notify ends. */
  readonly ready: (status: string) => Promise<void>;
  /** Shows a line; of several in a row the last one counts. */
  readonly status: (text: string) => void;
  /** Waits until the last line is told. */
  readonly close: () => Promise<void>;
}

/** systemd-notify waits for systemd itself. */
const timeoutMs = 5_000;
const longest = 200;

/** A notifier for the service that the environment tells of; without one, it does nothing. */
export function openNotifier(env: Readonly<Record<string, string | undefined>>): Notifier {
  const { NOTIFY_SOCKET: socket, PATH: path } = env;
  if (!socket) return { ready: async () => {}, status: () => {}, close: async () => {} };
  const tell = async (args: readonly string[]): Promise<void> => {
    const { execa } = await import("execa");
    // What systemd was not told is no reason to stop a backup.
    await execa("systemd-notify", args, {
      env: { NOTIFY_SOCKET: socket, ...(path === undefined ? {} : { PATH: path }) },
      extendEnv: false,
      stdio: "ignore",
      reject: false,
      timeout: timeoutMs,
    });
  };
  let waiting: string | undefined;
  let telling: Promise<void> | undefined;
  const tellAll = async (): Promise<void> => {
    while (waiting !== undefined) {
      const text = waiting;
      waiting = undefined;
      await tell([statusArgument(text)]);
    }
    telling = undefined;
  };
  return {
    ready: async (status) => tell(["--ready", statusArgument(status)]),
    status: (text) => {
      waiting = text;
      telling ??= tellAll();
    },
    close: async () => telling,
  };
}

/** One line: a line break would begin another variable of the protocol. */
function statusArgument(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is replaced
  return `--status=${text.replaceAll(/[\0-\x1f\x7f]+/g, " ").slice(0, longest)}`;
}
