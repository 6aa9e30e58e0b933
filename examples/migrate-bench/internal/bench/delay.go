//go:build linux

package bench

import (
	"context"
	"net"
	"syscall"
	"time"
)

// network gives the addresses of both servers as the tools reach them: directly, or as if each were
// delay away and back, until end.
func (b *bench) network(delay time.Duration) (end func(), err error) {
	b.direct()
	if delay == 0 {
		return b.direct, nil
	}
	ctx, cancel := context.WithCancel(b.ctx)
	end = func() {
		cancel()
		b.direct()
	}
	for _, addr := range []*string{&b.fromAddr, &b.toAddr} {
		if *addr, err = distant(ctx, *addr, delay/2); err != nil {
			end()
			return nil, err
		}
	}
	return end, nil
}

func (b *bench) direct() { b.fromAddr, b.toAddr = b.from.IMAPAddr, b.to.IMAPAddr }

// distant listens on loopback until the context ends, and passes on to a server and back what comes,
// each way after a delay. Bandwidth is not limited.
func distant(ctx context.Context, server string, delay time.Duration) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				c.Close()
				continue
			}
			go later(s, c, delay)
			go later(c, s, delay)
		}
	}()
	return l.Addr().String(), nil
}

// quickAck acknowledges what has come at once. Otherwise the servers, which leave Nagle's algorithm
// on, would wait 40 ms for it in the middle of an answer: a loss of the proxy's own, not of the distance.
func quickAck(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		if raw, err := t.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
			})
		}
	}
}

// later copies what comes, in time; at its end it closes the other side.
func later(to, from net.Conn, delay time.Duration) {
	type packet struct {
		due  time.Time
		data []byte
	}
	way := make(chan packet, 1024) // up to 64 MB on the way
	go func() {
		defer close(way)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			quickAck(from)
			if n > 0 {
				way <- packet{time.Now().Add(delay), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	defer to.Close()
	for p := range way {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			for range way { // until the other side notices, too
			}
			return
		}
	}
}
