//go:build windows || plan9

package eventlog

import (
	"errors"
	"io"
	"log/slog"
)

// Syslog fails: this system has none.
func Syslog(string) (slog.Handler, io.Closer, error) {
	return nil, nil, errors.New("eventlog: this system has no syslog")
}
