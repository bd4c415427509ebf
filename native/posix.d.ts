// The manual of the addon: what createRequire(import.meta.url)('….node') gives.
//
// One system call a function. Every function returns a number that is not negative on success, or
// a negated errno; functions with more to say return an object or an array on success, and still a
// negative number on failure. Nothing throws for what the system says. A TypeError (wrong type) or
// a RangeError (a span outside its buffer, a port above 65535) is a mistake of the caller.
// Nothing blocks but `poll`, and what is done to a descriptor from elsewhere that was not made non-blocking.
// Nothing here knows tasks or resolves names, or owns a descriptor (but see `closeAtExit`).

/** `[host, port]`, `[host, port, flowinfo, scopeid]`, a Unix path, or raw bytes (see {@link HostArgument}). */
export type NativeAddress = [string, number] | [string, number, number, number] | string | Uint8Array;

/**
 * What stands for the host in address arguments, by family:
 * - `AF_INET`, `AF_INET6`: a literal (`'127.0.0.1'`, `'::1'`, `'fe80::1%eth0'`); a name is `-EINVAL`.
 * - `AF_UNIX`: a path; one that starts with `'\0'` is abstract; `''` in `bind` lets the kernel choose an
 *   abstract name. Bytes too; paths that are no UTF-8 come out as bytes.
 * - any other family: the bytes of the whole `sockaddr`, in and out.
 */
export type HostArgument = string | Uint8Array;

/** Ancillary data: level, type, bytes (`[SOL_SOCKET, SCM_RIGHTS, bytes of an Int32Array of descriptors]`). */
export type Ancillary<Bytes = Uint8Array> = [level: number, type: number, data: Bytes];

export interface Posix {
  // --- sockets: always non-blocking and close-on-exec ---

  socket(domain: number, type: number, protocol?: number): number;
  socketpair(domain: number, type: number, protocol?: number): [number, number] | number;
  bind(
    fd: number,
    family: number,
    host: HostArgument,
    port?: number,
    flowinfo?: number,
    scopeid?: number,
  ): number;
  /** Usually `-EINPROGRESS`: wait until writable, then ask `socketError`. A Unix socket whose listener is full: `-EAGAIN`, and no event will tell when to try again. */
  connect(
    fd: number,
    family: number,
    host: HostArgument,
    port?: number,
    flowinfo?: number,
    scopeid?: number,
  ): number;
  listen(fd: number, backlog: number): number;
  /** The new descriptor; `lastAddress()` is its peer. */
  accept(fd: number): number;
  /** Whom the newest `accept` or `recvfrom` of this environment was from; null when it failed, or said nothing (connected sockets). */
  lastAddress(): NativeAddress | null;
  getsockname(fd: number): NativeAddress | number;
  getpeername(fd: number): NativeAddress | number;
  shutdown(fd: number, how: number): number;
  /** The option's value **as unsigned**, because an option may be -1: write `value | 0`. */
  getsockopt(fd: number, level: number, name: number): number;
  /** At most `size` (up to 65,536) bytes of the option. */
  getsockoptBytes(fd: number, level: number, name: number, size: number): Buffer | number;
  setsockopt(fd: number, level: number, name: number, value: number): number;
  setsockoptBytes(fd: number, level: number, name: number, value: Uint8Array): number;
  /** `SO_ERROR`, read and cleared: 0, or a negated errno. */
  socketError(fd: number): number;

  // --- bytes: `offset` and `length` are required and must lie inside the buffer; SIGPIPE never comes ---

  recv(fd: number, buffer: Uint8Array, offset: number, length: number, flags?: number): number;
  send(fd: number, buffer: Uint8Array, offset: number, length: number, flags?: number): number;
  /** Sends all of it. */
  send(fd: number, buffer: Uint8Array): number;
  /** `lastAddress()` is the sender. */
  recvfrom(fd: number, buffer: Uint8Array, offset: number, length: number, flags?: number): number;
  sendto(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    flags: number | undefined,
    family: number,
    host: HostArgument,
    port?: number,
    flowinfo?: number,
    scopeid?: number,
  ): number;
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number;

  /**
   * This environment's scratch area, zeroed, replacing the one before. The older Buffer stays valid as
   * long as somebody holds it, so one may receive straight into an area, hand out views of it, and
   * take a new one when it is used up.
   */
  scratch(size: number): Buffer | number;
  /** `recv` into the scratch area, without the look-up of a buffer. */
  recvScratch(fd: number, offset: number, length: number, flags?: number): number;
  /**
   * `recv` for `count` sockets in a row, by way of the scratch area into `target`, one behind the other from `offset` on, each at a
   * multiple of eight. The pairs in `requests`, a descriptor and how many bytes it may receive, become what `recv` gave and where in
   * `target` that is. What is longer than `longest`, or finds no room there, is left in the scratch area, is said to be at -1, and is
   * the last. Gives how many pairs were dealt with.
   */
  recvEach(requests: Int32Array, count: number, target: Uint8Array, offset: number, longest: number): number;
  /** `send` from the scratch area. */
  sendScratch(fd: number, offset: number, length: number, flags?: number): number;

  // --- messages ---

  /** Received descriptors are close-on-exec, and the caller's to close. `flags` holds `MSG_TRUNC`, `MSG_CTRUNC`, `MSG_EOR`, … */
  recvmsg(
    fd: number,
    buffers: readonly Uint8Array[],
    ancillarySize: number,
    flags?: number,
  ): [bytes: number, ancillary: Ancillary<Buffer>[], flags: number, address: NativeAddress | null] | number;
  sendmsg(
    fd: number,
    buffers: readonly Uint8Array[],
    ancillary?: readonly Ancillary[],
    flags?: number,
    family?: number,
    host?: HostArgument,
    port?: number,
    flowinfo?: number,
    scopeid?: number,
  ): number;
  /** `CMSG_LEN` and `CMSG_SPACE`. */
  cmsgLen(length: number): number;
  cmsgSpace(length: number): number;

  // --- any descriptor ---

  /** Never `-EINTR`. Call `unwatch` first when the description may live on elsewhere (dup, a passed descriptor). */
  close(fd: number): number;
  /**
   * Whether this descriptor is closed when the environment ends, however it does: a worker thread that is terminated runs no more
   * JavaScript. Say no before closing it or giving it away: numbers are reused.
   */
  closeAtExit(fd: number, on: boolean): number;
  /** Close-on-exec. */
  dup(fd: number): number;
  /** `[read end, write end]`, non-blocking and close-on-exec. */
  pipe(): [number, number] | number;
  /** `fcntl(F_GETFL)`: see `constants.O_NONBLOCK`. */
  getFlags(fd: number): number;
  /** It is the *description* that blocks or not: duplicates and other processes' copies change with it. */
  setNonblocking(fd: number, on: boolean): number;
  /** **Blocks this thread** for up to `timeout` milliseconds (default, and -1: without limit). The events that are there, or 0. */
  poll(fd: number, events: number, timeout?: number): number;

  // --- readiness ---

  /**
   * Opens the environment's epoll set, or replaces callback and array. When descriptors become ready,
   * `events` holds `[token, mask]` pairs, as many as there is room for, and `callback(count)` is called; then again for those that had
   * none, after the microtasks of the call before (at most 1,024 events a turn of the loop). Watching does not keep the process
   * alive until `ref()`.
   * The callback runs in the asynchronous context of the first `onEvents`: call that outside of any task.
   * It should look tokens up and ignore unknown ones: an earlier event of the same batch may have closed them.
   */
  onEvents(callback: (count: number) => void, events: Int32Array): number;
  /**
   * Watches for `EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET` (or `interest`), once, for the descriptor's life. `token` is any 32-bit
   * integer; it comes back signed. `-EPERM`: a regular file, always ready. `-EINVAL`: no `onEvents` yet.
   *
   * Edge-triggered: an event says that something *became* so, and comes at once for what is so already. After
   * a `recv` shorter than asked for, a TCP socket is empty and its next data brings an event, unless this or an
   * earlier event had `EPOLLRDHUP`, `EPOLLHUP`, `EPOLLERR` or `EPOLLPRI`: then only 0, or an error, tells the end.
   * A Unix stream also stops short behind a passed descriptor, with more data waiting: there, only `-EAGAIN` tells.
   */
  watch(fd: number, token: number, interest?: number): number;
  /** Changes token or interest, and brings an event for what is ready now. */
  rewatch(fd: number, token: number, interest?: number): number;
  /** `-ENOENT`: not watched. Already collected events may still come, under the old token. */
  unwatch(fd: number): number;
  /** Whether watching keeps the process alive. Both do nothing before `onEvents`, and do not count: one `unref` undoes any number of `ref`s. */
  ref(): 0;
  unref(): 0;

  // --- tables ---

  /** `AF_* SOCK_* SOMAXCONN SOL_* SO_* SCM_* MSG_* SHUT_* IPPROTO_* IP_* IPV6_* TCP_* UDP_* INADDR_* EAI_* AI_* NI_* POLL* EPOLL* O_NONBLOCK`, the platform's own values. */
  readonly constants: Readonly<Record<string, number>>;
  /** `{ 11: 'EAGAIN', … }`, positive errnos, the names Node uses. */
  readonly errorNames: Readonly<Record<number, string>>;
}
