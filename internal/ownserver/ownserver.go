// Package ownserver has what all servers that a test starts for itself need: ports
// that nobody uses, and an end.
package ownserver

import (
	"net"
	"os"
	"time"
)

// FreePorts asks the system for n ports of a loopback address that nobody uses.
func FreePorts(addr string, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end: no port is given twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// End asks a process to end by a signal and waits until done is closed. After ten
// seconds the process is killed.
func End(p *os.Process, sig os.Signal, done <-chan struct{}) {
	_ = p.Signal(sig)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.Kill()
		<-done
	}
}
