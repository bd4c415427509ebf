// A server in C: one thread, one epoll set, nothing else. It is the peer that says how much of a
// request's cost is the operating system's, so it does what a careful program does and no more: a
// connection whose client does not read is waited for, and holds nobody else up.
//
//   cc -O2 -o echo echo.c && ./echo tcp|udp|sink [bytes]
//
// Prints its port. sink: sends nothing back, and receives `bytes` at a time.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 1024
#define ROOM 65536

typedef struct {
  int fd;
  size_t start, end;  // what was received and not yet sent
  char *bytes;        // a waiting connection's; one that has nothing to send needs none
} Connection;

static int set;
static char area[ROOM];

static void interest(Connection *connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  epoll_ctl(set, operation, connection->fd, &event);
}

static void finish(Connection *connection) {
  close(connection->fd);
  free(connection->bytes);
  free(connection);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    Connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
      close(fd);
      continue;
    }
    connection->fd = fd;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    interest(connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

// Keeps what could not be sent until it can.
static void put_aside(Connection *connection, size_t sent, size_t received) {
  connection->bytes = malloc(received - sent);
  if (connection->bytes == NULL) return finish(connection);
  memcpy(connection->bytes, area + sent, received - sent);
  connection->start = 0;
  connection->end = received - sent;
  interest(connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void echo(Connection *connection) {
  ssize_t n = recv(connection->fd, area, sizeof area, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return finish(connection);
  ssize_t sent = send(connection->fd, area, (size_t)n, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return finish(connection);
  if (sent < n) put_aside(connection, sent < 0 ? 0 : (size_t)sent, (size_t)n);
}

static void send_rest(Connection *connection) {
  ssize_t n = send(connection->fd, connection->bytes + connection->start,
                   connection->end - connection->start, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return finish(connection);
  if (n > 0) connection->start += (size_t)n;
  if (connection->start < connection->end) return;
  free(connection->bytes);
  connection->bytes = NULL;
  interest(connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void drain(Connection *connection, size_t bytes) {
  ssize_t n;
  do n = recv(connection->fd, area, bytes, 0);
  while (n == (ssize_t)bytes);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) finish(connection);
}

static void echo_datagrams(int fd) {
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(fd, area, sizeof area, 0, (struct sockaddr *)&from, &length);
    if (n < 0) return;
    sendto(fd, area, (size_t)n, 0, (struct sockaddr *)&from, length);
  }
}

int main(int count, char **arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: echo tcp|udp|sink [bytes]\n");
    return 2;
  }
  int is_udp = strcmp(arguments[1], "udp") == 0;
  int is_sink = strcmp(arguments[1], "sink") == 0;
  size_t bytes = count > 2 ? (size_t)atol(arguments[2]) : ROOM;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int type = (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int listener = socket(AF_INET, type, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
      (!is_udp && listen(listener, SOMAXCONN) < 0) ||
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
      Connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        if (is_udp) echo_datagrams(listener);
        else accept_all(listener);
      } else if (is_sink) drain(connection, bytes < ROOM ? bytes : ROOM);
      else if (connection->bytes != NULL) send_rest(connection);
      else echo(connection);
    }
  }
}
