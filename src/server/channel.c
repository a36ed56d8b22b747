/* A message is one byte; the packet leaves room for descriptors beside it (SCM_RIGHTS). */
#include "server/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

int channel_open(int ends[2])
{
	int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;

	return socketpair(AF_UNIX, type, 0, ends) < 0 ? -errno : 0;
}

void channel_send(int fd, enum message message)
{
	uint8_t byte = (uint8_t)message;

	if (send(fd, &byte, sizeof(byte), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		log_warning("cannot send message %u: %s", byte, strerror(errno));
}

bool channel_receive(enum message *message, int fd)
{
	uint8_t byte;

	if (recv(fd, &byte, sizeof(byte), 0) != sizeof(byte))
		return false;
	*message = (enum message)byte;
	return true;
}
