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

// replayedConn is a connection to the directory.
type replayedConn struct {
	net.Conn
	in *bufio.Reader
}

func replayLDAP(ctx context.Context, addr string, list []ldapRequest) error {
	g, ctx := errgroup.WithContext(ctx)
	gate := newTurnstile(ctx)
	conns := map[int]*replayedConn{}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var mu sync.Mutex
	cookies := map[int][]byte{}
	sent := map[int]chan int{} // by connection: requests that wait for their answers
	defer func() {
		for _, c := range sent {
			close(c)
		}
	}()
	for i, r := range list {
		if !gate.pass(r.Ended) {
			break
		}
		c := conns[r.Conn]
		if c == nil {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			c = &replayedConn{conn, newReader(conn)}
			waiting := make(chan int, len(list))
			conns[r.Conn], sent[r.Conn] = c, waiting
			g.Go(func() error {
				for i := range waiting {
					m, err := c.final()
					if err != nil {
						return err
					}
					cookie, err := m.cookie()
					if err != nil {
						return err
					}
					mu.Lock()
					cookies[i] = cookie
					mu.Unlock()
					gate.end()
				}
				return nil
			})
		}
		b := r.Message
		if len(r.Cookie) > 0 {
			mu.Lock()
			cookie := cookies[r.Page]
			mu.Unlock()
			var err error
			if b, err = withCookie(b, cookie); err != nil {
				return err
			}
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		if r.Answered {
			sent[r.Conn] <- i
		}
	}
	for k, c := range sent {
		close(c)
		delete(sent, k)
	}
	return g.Wait()
}

// final reads until the last answer of a request.
func (c *replayedConn) final() (message, error) {
	for {
		if m, err := readMessage(c.in, false); err != nil || m.final() {
			return m, err
		}
	}
}
