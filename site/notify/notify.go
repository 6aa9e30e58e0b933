// Package notify sends the notices of the life cycle as mail over SMTP. It is
// the [schoolmail.Notifier] of the example programs.
//
// A message goes to the person's school address and, where the record has one,
// to the private address; if that one is refused for good the school address
// still gets it. One that names another recipient goes to that address alone, in words
// for parents or for who teaches the class. Its Message-ID is derived from the notice's id, so
// that a notice sent again after a lost answer is recognised as the same
// message by mail servers and clients (RFC 5322 section 3.6.4).
package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Options tune a [Mailer]; nil or the zero value works for a relay on the same
// host.
type Options struct {
	Hello     string // name given in EHLO; "" means "localhost"
	Username  string // for PLAIN authentication, only over TLS or to localhost
	Password  schoolmail.Secret
	TLS       *tls.Config      // for STARTTLS; nil: verified against the server's name
	PlainText bool             // do not insist on STARTTLS; loopback relays never need it
	Timeout   time.Duration    // per message; 0 means one minute
	Site      string           // name of the site in subject and text
	Texts     *Texts           // what notices say; nil: DefaultTexts in German
	Now       func() time.Time // for the Date header; nil means time.Now
}

// Mailer sends notices through one SMTP relay. It keeps one connection for as
// long as it works and is safe for concurrent use.
type Mailer struct {
	addr, from string
	opt        Options

	mu   sync.Mutex
	conn *smtp.Client
	nc   net.Conn
	sent int
}

// New returns a mailer that sends from the address over the relay at
// "host:port".
func New(addr, from string, opts *Options) (*Mailer, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("notify: relay %q: expected host:port", addr)
	}
	if i := strings.LastIndexByte(from, '@'); i <= 0 || strings.ContainsAny(from, "\r\n<> ") {
		return nil, fmt.Errorf("notify: sender %q: expected a mail address", from)
	}
	m := &Mailer{addr: addr, from: from}
	if opts != nil {
		m.opt = *opts
	}
	if m.opt.Timeout == 0 {
		m.opt.Timeout = time.Minute
	}
	if m.opt.Hello == "" {
		m.opt.Hello = "localhost"
	}
	if m.opt.Texts == nil {
		m.opt.Texts = DefaultTexts("")
	}
	if m.opt.Now == nil {
		m.opt.Now = time.Now
	}
	return m, nil
}

// Sent returns how many messages the relay has taken.
func (m *Mailer) Sent() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

// Close ends the connection to the relay.
func (m *Mailer) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hangUp()
	return nil
}

// Kind says what went wrong. Each kind is an error to compare with.
type Kind string

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// ErrRefused says that the relay does not take user name and password.
const ErrRefused Kind = "the relay refuses user name or password"

// Check connects to the relay as Notify does, encrypts and logs in, and sends nothing.
func (m *Mailer) Check(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.hangUp()
	ctx, cancel := context.WithTimeout(ctx, m.opt.Timeout)
	defer cancel()
	if m.conn != nil {
		return nil
	}
	return m.dial(ctx)
}

func (m *Mailer) hangUp() {
	if m.conn != nil {
		m.conn.Close()
		m.conn, m.nc = nil, nil
	}
}

// Notify sends one notice. A connection that the relay has closed meanwhile is
// opened again once.
func (m *Mailer) Notify(ctx context.Context, n schoolmail.Notice) error {
	msg, to, err := m.message(n)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := m.conn == nil
	err = m.send(ctx, to, msg)
	if err != nil && !fresh && ctx.Err() == nil {
		m.hangUp()
		err = m.send(ctx, to, msg)
	}
	if err != nil {
		m.hangUp()
		return fmt.Errorf("notify: %s notice to account %q: %w", n.Kind, n.Account.Username, err)
	}
	m.sent++
	return nil
}

func (m *Mailer) send(ctx context.Context, to []string, msg []byte) (err error) {
	ctx, cancel := context.WithTimeout(ctx, m.opt.Timeout)
	defer cancel()
	defer func() {
		if c := context.Cause(ctx); err != nil && c != nil {
			err = c
		}
	}()
	if m.conn == nil {
		if err := m.dial(ctx); err != nil {
			return err
		}
	}
	nc := m.nc
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := m.conn.Mail(m.from); err != nil {
		return err
	}
	for i, a := range to {
		err := m.conn.Rcpt(a)
		// A private address that is no more must not keep the notice from the
		// school mailbox.
		if e, ok := errors.AsType[*textproto.Error](err); i > 0 && ok && e.Code >= 500 {
			continue
		}
		if err != nil {
			return errors.Join(err, m.conn.Reset())
		}
	}
	w, err := m.conn.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(msg); err != nil {
		return err
	}
	return w.Close()
}

func (m *Mailer) dial(ctx context.Context) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", m.addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	host, _, _ := net.SplitHostPort(m.addr)
	c, err := smtp.NewClient(nc, host)
	if err != nil {
		nc.Close()
		return err
	}
	m.conn, m.nc = c, nc
	if err := c.Hello(m.opt.Hello); err != nil {
		return err
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if ok, _ := c.Extension("STARTTLS"); ok {
		cfg := m.opt.TLS
		if cfg == nil {
			cfg = &tls.Config{ServerName: host}
		}
		if err := c.StartTLS(cfg); err != nil {
			return err
		}
	} else if !local && !m.opt.PlainText {
		return errors.New("the relay offers no STARTTLS")
	}
	if m.opt.Username != "" {
		err := c.Auth(smtp.PlainAuth("", m.opt.Username, m.opt.Password.Reveal(), host))
		if e, ok := errors.AsType[*textproto.Error](err); ok && e.Code >= 500 {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return err
	}
	return nil
}

// message renders a notice, and says to whom it goes.
func (m *Mailer) message(n schoolmail.Notice) ([]byte, []string, error) {
	a := n.Account
	to := []string{cmp.Or(n.To.Mail, a.Mail)}
	if a.NoticeMail != "" && n.To == (schoolmail.Recipient{}) {
		to = append(to, a.NoticeMail)
	}
	for _, s := range to {
		if !strings.Contains(s, "@") || strings.ContainsAny(s, "\r\n<> ") {
			return nil, nil, fmt.Errorf("notify: account %q: address is not usable", a.Username)
		}
	}
	subject, body, err := m.opt.Texts.Render(n, m.opt.Site)
	if err != nil {
		return nil, nil, err
	}
	domain := m.from[strings.LastIndexByte(m.from, '@')+1:]
	var b bytes.Buffer
	head := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	head("From", m.from)
	head("To", "<"+to[0]+">")
	head("Subject", mime.QEncoding.Encode("utf-8", subject))
	head("Date", m.opt.Now().Format(time.RFC1123Z))
	head("Message-ID", "<"+n.ID+"@"+domain+">")
	head("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	q.Write([]byte(strings.ReplaceAll(body, "\n", "\r\n")))
	q.Close()
	return b.Bytes(), to, nil
}
