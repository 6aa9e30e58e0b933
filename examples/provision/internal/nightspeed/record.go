//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail/site/sitetest"
)

// recording is all that a run has asked, in the order in which it began to.
type recording struct {
	LDAPAddr string
	LDAP     []ldapRequest
	HTTP     []httpRequest
}

// ldapRequest is a request to the directory.
type ldapRequest struct {
	Conn    int    // the connection, counted from 0
	Message []byte // as sent
	// Cookie is that of the page before, of which Page is the request; "": none.
	Cookie []byte
	Page   int
	// Answered is whether the request has an answer.
	Answered bool
	// Ended is how many requests to the directory had been answered when this was sent:
	// that many it waits for.
	Ended int
}

// httpRequest is a request to Open-Xchange.
type httpRequest struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	Status int // of the answer; a fault is one
	Ended  int // as with the directory
}

// record runs a night through proxies that write down what it asks.
func (m *measure) record(ctx context.Context, file string) error {
	dir := filepath.Join(m.dir, "district")
	b, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	if err != nil {
		return err
	}
	var info sitetest.Info
	if err := json.Unmarshal(b, &info); err != nil {
		return err
	}
	soap, err := url.Parse(info.OXSOAPURL)
	if err != nil {
		return err
	}
	var r recording
	r.LDAPAddr = strings.TrimPrefix(info.LDAPURL, "ldap://")
	ox := &httpRecorder{base: "http://" + soap.Host, list: &r.HTTP}
	front := httptest.NewServer(ox.proxy(soap))
	defer front.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	directory := &ldapRecorder{upstream: r.LDAPAddr, list: &r.LDAP}
	var wg sync.WaitGroup
	wg.Go(func() { directory.serve(l) })
	config, err := os.ReadFile(filepath.Join(dir, "district.toml"))
	if err != nil {
		return errors.Join(err, l.Close())
	}
	through := strings.NewReplacer(r.LDAPAddr, l.Addr().String(), soap.Host, strings.TrimPrefix(front.URL, "http://"))
	const recorded = "recorded.toml"
	err = os.WriteFile(filepath.Join(dir, recorded), []byte(through.Replace(string(config))), 0o600)
	if err == nil {
		_, err = m.night(ctx, recorded, nil)
	}
	err = errors.Join(err, l.Close())
	wg.Wait()
	if err = errors.Join(err, directory.err); err != nil {
		return err
	}
	if len(r.LDAP) == 0 || len(r.HTTP) == 0 {
		return errors.New("nothing was recorded")
	}
	if b, err = json.Marshal(r); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// httpRecorder is a proxy in front of Open-Xchange.
type httpRecorder struct {
	base string

	mu    sync.Mutex
	list  *[]httpRequest
	ended int
}

func (h *httpRecorder) proxy(to *url.URL) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	proxy.Transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the request broke off", http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		i := len(*h.list)
		*h.list = append(*h.list, httpRequest{r.Method, h.base + r.URL.RequestURI(), r.Header.Clone(), body,
			http.StatusOK, h.ended})
		h.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		status := &withStatus{w, http.StatusOK}
		proxy.ServeHTTP(status, r)
		h.mu.Lock()
		(*h.list)[i].Status = status.code
		h.ended++
		h.mu.Unlock()
	})
}

// withStatus keeps the status of an answer.
type withStatus struct {
	http.ResponseWriter
	code int
}

func (w *withStatus) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// ldapRecorder is a proxy in front of the directory.
type ldapRecorder struct {
	upstream string

	mu      sync.Mutex
	list    *[]ldapRequest
	ended   int
	conns   int
	cookies map[string]int // by the request whose answer has brought them
	err     error
}

func (p *ldapRecorder) serve(l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		down, err := l.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.upstream)
		if err != nil {
			p.fail(err)
			down.Close()
			continue
		}
		p.mu.Lock()
		c := &ldapConn{proxy: p, number: p.conns, index: map[int64]int{}}
		p.conns++
		p.mu.Unlock()
		wg.Go(func() {
			c.pass(up, down, c.request)
			up.Close()
		})
		wg.Go(func() {
			c.pass(down, up, c.answer)
			down.Close()
		})
	}
}

func (p *ldapRecorder) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
}

// ldapConn is one connection through the proxy.
type ldapConn struct {
	proxy  *ldapRecorder
	number int
	index  map[int64]int // of requests, by their message's number
}

// pass hands messages on until the connection ends, which is no error.
func (c *ldapConn) pass(to io.Writer, from io.Reader, note func(message) error) {
	for r := newReader(from); ; {
		m, err := readMessage(r, true)
		if err != nil {
			return
		}
		if err := note(m); err != nil {
			c.proxy.fail(err)
			return
		}
		if _, err := to.Write(m.bytes); err != nil {
			return
		}
	}
}

func (c *ldapConn) request(m message) error {
	cookie, err := m.cookie()
	if err != nil {
		return err
	}
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	r := ldapRequest{Conn: c.number, Message: m.bytes, Cookie: cookie, Answered: m.wantsAnswer(), Ended: p.ended}
	if len(cookie) > 0 {
		var ok bool
		if r.Page, ok = p.cookies[string(cookie)]; !ok {
			return errors.New("a page is asked for with a cookie that no answer has brought")
		}
	}
	c.index[m.id] = len(*p.list)
	*p.list = append(*p.list, r)
	return nil
}

func (c *ldapConn) answer(m message) error {
	if !m.final() {
		return nil
	}
	cookie, err := m.cookie()
	if err != nil {
		return err
	}
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended++
	if len(cookie) > 0 {
		if p.cookies == nil {
			p.cookies = map[string]int{}
		}
		p.cookies[string(cookie)] = c.index[m.id]
	}
	return nil
}
