/*
 * The words in which Linux is asked for readiness, and answers: of epoll, and of poll(2).
 */

export const POLLIN = 1;
export const POLLOUT = 4;

const EPOLLIN = 1;
export const EPOLLPRI = 2;
const EPOLLOUT = 4;
const EPOLLERR = 8;
const EPOLLHUP = 16;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x8000_0000 | 0;

/** What a descriptor is watched for: everything, told once for each change. */
export const INTEREST = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/** The end of input is near, or the end of everything. */
export const ENDING = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** Whoever reads shall try. */
export const READING = EPOLLIN | EPOLLPRI | ENDING;
/** Whoever writes shall try. */
export const WRITING = EPOLLOUT | EPOLLHUP | EPOLLERR;
