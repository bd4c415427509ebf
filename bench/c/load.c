// A load generator for echo servers: opens connections, keeps one request in flight on each, checks
// nothing but the number of bytes, and says how many requests were answered. In C so that it never is
// what limits a measurement.
//
//   cc -O2 -o load load.c && ./load port connections bytes seconds
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 1024

typedef struct {
  int fd;
  size_t sent, received;
} Connection;

static size_t size;
static char *request, *sink;
static long answered;
static int over, open_connections;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// Sends what is left of the request. A request larger than the socket's buffers goes out in pieces.
static void advance(Connection *connection) {
  while (connection->sent < size) {
    ssize_t n = send(connection->fd, request + connection->sent, size - connection->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("send");
    connection->sent += (size_t)n;
  }
}

static void answer(Connection *connection) {
  for (;;) {
    ssize_t n = recv(connection->fd, sink, size, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("recv");
    connection->received += (size_t)n;
    if (connection->received < size) continue;
    answered++;
    connection->sent = connection->received = 0;
    if (over) {
      // Closed with nothing under way, so that the server sees an end and not a reset.
      close(connection->fd);
      open_connections--;
      return;
    }
    advance(connection);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: load port connections bytes seconds\n");
    return 2;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int count = atoi(argv[2]);
  size = (size_t)atol(argv[3]);
  double seconds = atof(argv[4]);
  request = malloc(size);
  sink = malloc(size);
  memset(request, 'x', size);

  int set = epoll_create1(0);
  Connection *connections = calloc((size_t)count, sizeof *connections);
  for (int i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[i].fd = fd;
  }
  for (int i = 0; i < count; i++) {
    int fd = connections[i].fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &connections[i]};
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) fail("fcntl");
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
    advance(&connections[i]);
  }

  struct epoll_event events[EVENTS];
  double began = now(), end = began + seconds;
  open_connections = count;
  while (open_connections > 0) {
    int n = epoll_wait(set, events, EVENTS, 100);
    over = now() >= end;
    for (int i = 0; i < n; i++) {
      Connection *connection = events[i].data.ptr;
      int before = open_connections;
      answer(connection);
      if (open_connections == before) advance(connection);
    }
  }
  printf("{\"requests\":%ld,\"seconds\":%f}\n", answered, now() - began);
  return 0;
}
