//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
)

// replay is the client that discards: it sends what was recorded again, as many
// requests side by side as were under way then, and keeps nothing of the answers but
// the cookies of pages.
func replay(ctx context.Context, args []string, stderr io.Writer) int {
	if err := replayFile(ctx, args); err != nil {
		fmt.Fprintln(stderr, "replay:", err)
		return 1
	}
	return 0
}

func replayFile(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("which file?")
	}
	b, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var r recording
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return replayLDAP(ctx, r.LDAPAddr, r.LDAP) })
	g.Go(func() error { return replayHTTP(ctx, r.HTTP) })
	return g.Wait()
}

// turnstile lets a request through when as many have ended as had then.
type turnstile struct {
	mu    sync.Mutex
	moved *sync.Cond
	ended int
	over  bool
}

func newTurnstile(ctx context.Context) *turnstile {
	t := &turnstile{}
	t.moved = sync.NewCond(&t.mu)
	context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.over = true
		t.moved.Broadcast()
	})
	return t
}

func (t *turnstile) pass(ended int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.ended < ended && !t.over {
		t.moved.Wait()
	}
	return !t.over
}

func (t *turnstile) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended++
	t.moved.Broadcast()
}

func replayHTTP(ctx context.Context, list []httpRequest) error {
	g, ctx := errgroup.WithContext(ctx) // ends with the first error, which Wait tells
	gate := newTurnstile(ctx)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	for i := range list {
		if !gate.pass(list[i].Ended) {
			break
		}
		g.Go(func() error {
			defer gate.end()
			req, err := http.NewRequestWithContext(ctx, list[i].Method, list[i].URL, bytes.NewReader(list[i].Body))
			if err != nil {
				return err
			}
			req.Header = list[i].Header
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != list[i].Status {
				err = errors.New(resp.Status)
			}
			return err
		})
	}
	return g.Wait()
}

// directory is the client that discards, of the directory.
type directory struct {
	gate *turnstile

	mu      sync.Mutex
	cookies map[int][]byte // of pages, by the request that they were the answer to
	conns   map[int]*directoryConn
}

// directoryConn is one of its connections.
type directoryConn struct {
	net.Conn
	in      *bufio.Reader
	waiting chan int // requests whose answers are still to come, in their order
}

func replayLDAP(ctx context.Context, addr string, list []ldapRequest) error {
	g, ctx := errgroup.WithContext(ctx)
	d := &directory{gate: newTurnstile(ctx), cookies: map[int][]byte{}, conns: map[int]*directoryConn{}}
	g.Go(func() (err error) {
		defer func() {
			for _, c := range d.conns {
				close(c.waiting)
			}
		}()
		for i := range list {
			if !d.gate.pass(list[i].Ended) {
				return nil
			}
			c := d.conns[list[i].Conn]
			if c == nil {
				conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
				if err != nil {
					return err
				}
				context.AfterFunc(ctx, func() { conn.Close() })
				c = &directoryConn{conn, newReader(conn), make(chan int, len(list))}
				d.conns[list[i].Conn] = c
				g.Go(func() error { return d.answers(c) })
			}
			if err := d.send(c, i, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	err := g.Wait()
	for _, c := range d.conns {
		c.Close()
	}
	return err
}

// send sends a request; that for a page with the cookie of the page before.
func (d *directory) send(c *directoryConn, i int, r *ldapRequest) error {
	b := r.Message
	if len(r.Cookie) > 0 {
		d.mu.Lock()
		cookie := d.cookies[r.Page]
		d.mu.Unlock()
		var err error
		if b, err = withCookie(b, cookie); err != nil {
			return err
		}
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	if r.Answered {
		c.waiting <- i
	}
	return nil
}

// answers reads the answers of a connection.
func (d *directory) answers(c *directoryConn) error {
	for i := range c.waiting {
		m, err := readMessage(c.in, false)
		for err == nil && !m.final() {
			m, err = readMessage(c.in, false)
		}
		if err != nil {
			return err
		}
		cookie, err := m.cookie()
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.cookies[i] = cookie
		d.mu.Unlock()
		d.gate.end()
	}
	return nil
}
