// A load generator: opens connections, keeps one request in flight on each, checks nothing but the
// number of bytes, and says how many requests were answered. In C so that it never is what limits a
// measurement.
//
//   cc -O2 -o load load.c [-DTLS -lssl -lcrypto]
//   ./load tcp|udp|tls|hold port connections bytes
//   ./load flood|brief port connections bytes seconds
//
// Says "ready" once the connections stand and hands are shaken, which is no part of what is measured. Then it reads
// numbers of seconds, a line each, makes requests for so long, and says how many were answered; the connections end with its input.
// hold makes none. brief opens a connection for each request, and closes it when it is answered. flood sends `bytes` at a time without waiting for any answer, and counts those times once the server
// has closed.
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
#ifdef TLS
#include <openssl/ssl.h>
#endif

#define EVENTS 1024
#define LOST 0.2  // seconds after which a datagram will not be answered any more

typedef struct {
  int fd, busy;
  size_t sent, received;
  double began;
#ifdef TLS
  SSL *ssl;
#endif
} Connection;

static size_t size;
static char *request, *sink;
static long answered;
static int set, over, busy_connections, is_udp, is_tls, is_brief;
static struct sockaddr_in address = {.sin_family = AF_INET};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// ---- One call of the transport: as send and recv, with -1 and EAGAIN if it would block ----

#ifdef TLS
static SSL *secure(int fd) {
  static SSL_CTX *context;
  if (context == NULL) context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) fail("SSL_connect");
  return ssl;
}

static ssize_t outcome(SSL *ssl, int n) {
  if (n > 0) return n;
  int reason = SSL_get_error(ssl, n);
  if (reason == SSL_ERROR_ZERO_RETURN) return 0;
  errno = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
  return -1;
}
#endif

static ssize_t transmit(Connection *connection, const char *bytes, size_t length) {
#ifdef TLS
  if (is_tls) return outcome(connection->ssl, SSL_write(connection->ssl, bytes, (int)length));
#endif
  return send(connection->fd, bytes, length, MSG_NOSIGNAL);
}

static ssize_t receive(Connection *connection, char *bytes, size_t length) {
#ifdef TLS
  if (is_tls) return outcome(connection->ssl, SSL_read(connection->ssl, bytes, (int)length));
#endif
  return recv(connection->fd, bytes, length, 0);
}

// ---- Requests and answers ----

// Sends what is left of the request. A request larger than the socket's buffers goes out in pieces.
static void advance(Connection *connection) {
  if (is_udp && connection->sent == 0) connection->began = now();
  while (connection->sent < size) {
    ssize_t n = transmit(connection, request + connection->sent, size - connection->sent);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("send");
    connection->sent += (size_t)n;
  }
}

static void observe(Connection *connection) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
  int fd = connection->fd;
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) fail("fcntl");
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

// Connects anew, from one of many addresses: a port that was used rests for a while.
static void dial(Connection *connection) {
  static unsigned next;
  struct sockaddr_in own = {.sin_family = AF_INET};
  int one = 1;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next++ % 200);
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) fail("socket");
  setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(connection->fd, (struct sockaddr *)&own, sizeof own) < 0) fail("bind");
  observe(connection);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) fail("connect");
}

static void answer(Connection *connection) {
  for (;;) {
    ssize_t n = receive(connection, sink, size);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("recv");
    connection->received += (size_t)n;
    if (connection->received < size) continue;
    answered++;
    connection->sent = connection->received = 0;
    if (is_brief) close(connection->fd);
    if (is_brief && !over) {
      dial(connection);
      return;
    }
    if (over) {
      // Nothing is under way when it is closed some time, so that the server sees an end and not a reset.
      connection->busy = 0;
      busy_connections--;
      return;
    }
    advance(connection);
  }
}

static void send_lost_again(Connection *connections, int count) {
  double since = now() - LOST;
  for (int i = 0; i < count; i++) {
    if (!connections[i].busy || connections[i].began > since) continue;
    connections[i].sent = 0;
    advance(&connections[i]);
  }
}

static void exchange(Connection *connections, int count, double seconds) {
  struct epoll_event events[EVENTS];
  double end = now() + seconds;
  over = 0;
  busy_connections = count;
  for (int i = 0; i < count; i++) {
    connections[i].busy = 1;
    advance(&connections[i]);
  }
  while (busy_connections > 0) {
    int n = epoll_wait(set, events, EVENTS, 100);
    over = now() >= end;
    for (int i = 0; i < n; i++) {
      Connection *connection = events[i].data.ptr;
      if (!connection->busy) continue;
      answer(connection);
      if (connection->busy) advance(connection);
    }
    if (is_udp && n == 0) send_lost_again(connections, count);
  }
}

static void flood(Connection *connections, int count, double seconds) {
  double end = now() + seconds;
  while (now() < end) {
    for (int i = 0; i < count; i++) {
      for (size_t sent = 0; sent < size;) {
        ssize_t n = send(connections[i].fd, request + sent, size - sent, MSG_NOSIGNAL);
        if (n < 0) fail("send");
        sent += (size_t)n;
      }
      answered++;
    }
  }
  for (int i = 0; i < count; i++) shutdown(connections[i].fd, SHUT_WR);
  for (int i = 0; i < count; i++) {
    if (recv(connections[i].fd, sink, size, 0) != 0) fail("the server did not close");
  }
}

static void report(double began) {
  printf("{\"requests\":%ld,\"seconds\":%f}\n", answered, now() - began);
  fflush(stdout);
}

// Does what it is told, a line at a time.
static void obey(Connection *connections, int count) {
  char line[64];
  for (int i = 0; i < count; i++) observe(&connections[i]);
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    double began = now();
    answered = 0;
    exchange(connections, count, atof(line));
    report(began);
  }
}

int main(int argc, char **argv) {
  int is_flood = argc > 1 && strcmp(argv[1], "flood") == 0;
  is_brief = argc > 1 && strcmp(argv[1], "brief") == 0;
  if (argc != (is_flood || is_brief ? 6 : 5)) {
    fprintf(stderr, "usage: load tcp|udp|tls|hold port connections bytes, or load flood|brief port connections bytes seconds\n");
    return 2;
  }
  is_udp = strcmp(argv[1], "udp") == 0;
  is_tls = strcmp(argv[1], "tls") == 0;
  set = epoll_create1(0);
  address.sin_port = htons((uint16_t)atoi(argv[2]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int count = atoi(argv[3]);
  size = (size_t)atol(argv[4]);
  request = malloc(size);
  sink = malloc(size);
  memset(request, 'x', size);

  Connection *connections = calloc((size_t)count, sizeof *connections);
  for (int i = 0; i < count; i++) {
    if (is_brief) {
      dial(&connections[i]);
      continue;
    }
    int fd = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0), one = 1;
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    if (!is_udp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[i].fd = fd;
#ifdef TLS
    if (is_tls) connections[i].ssl = secure(fd);
#endif
  }
  if (is_flood || is_brief) {
    double began = now();
    (is_flood ? flood : exchange)(connections, count, atof(argv[5]));
    report(began);
  } else {
    obey(connections, count);
  }
  return 0;
}
