// An echo server in C: one thread, one epoll set, nothing else. It is the peer that says how much of
// a request's cost is the operating system's, so it does what a careful program does and no more:
// a connection whose client does not read is waited for, and holds nobody else up.
//
//   cc -O2 -o echo echo.c && ./echo [port]      port 0, the default: any; prints the one it has
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 1024

typedef struct {
  int fd;
  size_t start, end;  // what was received and not yet sent
  char bytes[65536];
} Connection;

static int set;

static void interest(Connection *connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  epoll_ctl(set, operation, connection->fd, &event);
}

static void finish(Connection *connection) {
  close(connection->fd);
  free(connection);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    Connection *connection = malloc(sizeof *connection);
    if (connection == NULL) {
      close(fd);
      continue;
    }
    connection->fd = fd;
    connection->start = connection->end = 0;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    interest(connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void echo(Connection *connection) {
  int was_waiting = connection->start < connection->end;
  if (!was_waiting) {
    ssize_t n = recv(connection->fd, connection->bytes, sizeof connection->bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      finish(connection);
      return;
    }
    connection->start = 0;
    connection->end = (size_t)n;
  }
  ssize_t n = send(connection->fd, connection->bytes + connection->start,
                   connection->end - connection->start, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    finish(connection);
    return;
  }
  if (n > 0) connection->start += (size_t)n;
  int is_waiting = connection->start < connection->end;
  if (is_waiting != was_waiting) interest(connection, EPOLL_CTL_MOD, is_waiting ? EPOLLOUT : EPOLLIN);
}

int main(int count, char **arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  address.sin_port = htons((uint16_t)(count > 1 ? atoi(arguments[1]) : 0));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(listener, SOMAXCONN) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
    perror("echo");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &listening);
  static struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(set, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == NULL) accept_all(listener);
      else echo(events[i].data.ptr);
    }
  }
}
