//go:build !windows && !plan9

package eventlog

import (
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"strings"
)

// Syslog returns a handler that writes to the system's log under the tag
// "schoolmail". An empty address is the local one, where journald listens, too; others
// are "udp:host:port", "tcp:host:port" (plain RFC 3164) or the path of a socket.
// Whoever makes it closes it.
func Syslog(address string) (slog.Handler, io.Closer, error) {
	network, raddr := "", address
	switch before, after, ok := strings.Cut(address, ":"); {
	case ok && (before == "udp" || before == "tcp"):
		network, raddr = before, after
	case address != "":
		network = "unixgram"
	}
	w, err := syslog.Dial(network, raddr, syslog.LOG_DAEMON|syslog.LOG_INFO, "schoolmail")
	if err != nil {
		return nil, nil, fmt.Errorf("eventlog: syslog: %w", err)
	}
	return newLines(w), w, nil
}
