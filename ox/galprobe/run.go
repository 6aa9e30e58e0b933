package galprobe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// Account is an ordinary account that must not see others.
type Account struct {
	Role        string // for the evidence, e.g. "pupil"; not a name
	Credentials appsuite.Credentials
}

// Target is a context to probe.
type Target struct {
	Name string // for the evidence

	// Control is an account of the context that does see the global address
	// book, usually its administrator. Without it nothing is proved.
	Control appsuite.Credentials

	Accounts []Account

	// Book is the title of an address book that the accounts should be able to
	// read and not write; empty: not checked.
	Book string
}

// Options adjust a run. The zero value works.
type Options struct {
	// ServerVersion is put into the evidence if the server does not tell its own.
	ServerVersion string

	// DAVRoot is the address below which "/carddav/" lies. Default: the root of
	// the server's address.
	DAVRoot string

	// ControlClient is how the control accounts reach OX where rules of a proxy
	// refuse calls to everybody: past the proxy, or from a trusted address. Without
	// it such calls prove nothing. Default: the client of [Run].
	ControlClient *appsuite.Client

	// HTTPClient is used for CardDAV. Default: one with a timeout of a minute.
	HTTPClient *http.Client

	// Observer is told about each finding as it is made, if set.
	Observer Observer
}

// Observer is told what a run finds.
type Observer interface{ Observe(Event) }

// Event is a finding with the account that made it.
type Event struct {
	Target  string // the name of the target
	Role    string // of the account
	Finding Finding
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// run is what all probers of a run share.
type run struct {
	client    *appsuite.Client
	control   *appsuite.Client
	davRoot   string
	userAgent string
	http      *http.Client
	opts      Options
}

// person is somebody whom a probe tries to read.
type person struct {
	user    schoolmail.UserID
	contact string
	mail    string
}

// prober is one account at work.
type prober struct {
	ctx     context.Context
	run     *run
	session *appsuite.Session
	cred    appsuite.Credentials
	self    identity
	others  []person
}

const maxOthers = 3 // people that are asked for one by one

// Run probes the targets one after the other. server is the address given to
// [appsuite.New]. A context that cannot be probed is reported in the evidence
// and does not stop the others; the error is set only if ctx ends, and then the
// evidence holds what was found until then.
func Run(ctx context.Context, client *appsuite.Client, server string, targets []Target, opts *Options) (*Evidence,
	error) {
	r := &run{client: client, userAgent: "schoolmail-galprobe/1.0"}
	if opts != nil {
		r.opts = *opts
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("galprobe: server %q is not an address", server)
	}
	root := u.Scheme + "://" + u.Host
	r.davRoot, r.http = r.opts.DAVRoot, r.opts.HTTPClient
	if r.davRoot == "" {
		r.davRoot = root
	}
	if r.http == nil {
		r.http = &http.Client{Timeout: time.Minute}
	}
	if r.control = r.opts.ControlClient; r.control == nil {
		r.control = client
	}
	total := func() int {
		n := client.Stats().Total()
		if r.control != client {
			n += r.control.Stats().Total()
		}
		return n
	}
	if len(targets) == 0 {
		return nil, errors.New("galprobe: no targets")
	}
	e := &Evidence{Format: "schoolmail-galprobe-1", Started: time.Now().UTC(), Server: root,
		ServerVersion: r.opts.ServerVersion}
	before := total()
	for _, t := range targets {
		ce, version, err := r.target(ctx, t)
		if err != nil {
			ce.Error, ce.Updating = err.Error(), errors.Is(err, schoolmail.ErrUpdating)
		}
		if version != "" {
			e.ServerVersion = version
		}
		e.Contexts = append(e.Contexts, ce)
		if ctx.Err() != nil {
			break
		}
	}
	e.Finished = time.Now().UTC()
	e.Requests = total() - before
	e.Count()
	if err := ctx.Err(); err != nil {
		return e, fmt.Errorf("galprobe: %w", err)
	}
	return e, nil
}

// target probes one context.
func (r *run) target(ctx context.Context, t Target) (ce ContextEvidence, version string, err error) {
	ce.Name = t.Name
	if len(t.Accounts) == 0 {
		return ce, "", errors.New("galprobe: no ordinary account given")
	}
	control, err := r.login(ctx, r.control, t.Control)
	if err != nil {
		return ce, "", fmt.Errorf("galprobe: control account: %w", err)
	}
	defer control.session.Logout(context.WithoutCancel(ctx))
	ce.Context = control.session.Context()
	version = control.serverVersion()
	var accounts []*prober
	defer func() {
		for _, p := range accounts {
			p.session.Logout(context.WithoutCancel(ctx))
		}
	}()
	for _, a := range t.Accounts {
		p, err := r.login(ctx, r.client, a.Credentials)
		if err != nil {
			return ce, version, fmt.Errorf("galprobe: account of role %s: %w", a.Role, err)
		}
		accounts = append(accounts, p)
		if p.session.Context() != ce.Context {
			return ce, version, fmt.Errorf("galprobe: account of role %s belongs to context %d, the control account to %d",
				a.Role, p.session.Context(), ce.Context)
		}
		if p.self.user == control.self.user {
			return ce, version, fmt.Errorf("galprobe: account of role %s is the control account", a.Role)
		}
	}
	others, users, err := control.meet(accounts)
	if ce.Users = users; err != nil {
		return ce, version, err
	}
	control.others = others
	controls := map[string]*observation{}
	for _, path := range Paths() {
		controls[path.Name] = control.observe(path)
	}
	for i, p := range accounts {
		p.others = others
		ae := AccountEvidence{Role: t.Accounts[i].Role, UserID: p.self.user}
		for _, path := range Paths() {
			f := judge(path, p.observe(path), controls[path.Name])
			ae.Findings = append(ae.Findings, f)
			if r.opts.Observer != nil {
				r.opts.Observer.Observe(Event{Target: t.Name, Role: ae.Role, Finding: f})
			}
		}
		if t.Book != "" {
			ae.Book = p.book(t.Book)
		}
		ce.Accounts = append(ce.Accounts, ae)
		if ctx.Err() != nil {
			return ce, version, ctx.Err()
		}
	}
	return ce, version, nil
}

// meet learns by the control account whom the accounts of the probe can try to read,
// how many users the context has, and which entries are the accounts' own.
func (p *prober) meet(accounts []*prober) (others []person, users int, err error) {
	probes := append([]*prober{p}, accounts...)
	for u, err := range p.session.Users(p.ctx) {
		if err != nil {
			return nil, users, fmt.Errorf("galprobe: control account: %w", err)
		}
		users++
		own := false
		for _, a := range probes {
			if a.self.user == u.ID {
				a.self.contact, own = string(u.Contact), true
			}
		}
		if !own && len(others) < maxOthers {
			others = append(others, person{u.ID, string(u.Contact), u.Mail})
		}
	}
	if len(others) == 0 {
		return nil, users, errors.New("galprobe: the context has nobody but the accounts of the probe")
	}
	return others, users, nil
}

func (r *run) login(ctx context.Context, client *appsuite.Client, cred appsuite.Credentials) (*prober, error) {
	s, err := client.Login(ctx, cred)
	if err != nil {
		return nil, err
	}
	return &prober{ctx: ctx, run: r, session: s, cred: cred, self: identity{user: s.UserID()}}, nil
}

func (p *prober) observe(path Path) *observation {
	a := &asker{p: p, self: p.self, o: &observation{fields: map[string]bool{}}}
	path.ask(a)
	return a.o
}

// serverVersion asks for the version that the web client shows; empty if the
// server does not tell.
func (p *prober) serverVersion() string {
	resp, err := p.session.Do(p.ctx, appsuite.Request{Module: "apps/manifests", Action: "config"})
	if err != nil {
		return ""
	}
	var config struct {
		ServerVersion string `json:"serverVersion"`
		Version       string `json:"version"`
	}
	if json.Unmarshal(resp.Data, &config) != nil {
		return ""
	}
	if config.ServerVersion != "" {
		return config.ServerVersion
	}
	return config.Version
}

// judge compares what an account got with what the control account got.
func judge(path Path, o, control *observation) Finding {
	f := Finding{Path: path.Name, Rows: o.rows(), Fields: names(o.fields), Calls: o.calls,
		ControlRows: control.rows(), ControlCalls: control.calls, Unconfirmed: path.Unconfirmed}
	for i, c := range o.calls {
		if c.Rows == 0 && c.Code == "" && c.Status < 300 && i < len(control.calls) && control.calls[i].Rows == 0 {
			f.SilentCalls++
		}
	}
	switch {
	case o.book > 0:
		f.Verdict, f.Reason = Open, count(o.book, "entry", "entries")+" of the global address book"
	case o.listed > 0 && (!path.BeyondOX || o.beyondNames()):
		f.Verdict, f.Reason = Open, count(o.listed, "entry", "entries")+" with more than names"
	case o.failed != nil:
		f.Verdict, f.Reason = Failed, o.failed.Error()
	case o.listed > 0:
		f.Verdict, f.Reason, f.BeyondOX = Limited, limitedReason(o), true
	case control.failed != nil:
		f.Verdict, f.Reason = Failed, "control account: "+control.failed.Error()
	case control.rows() == 0 && control.absent > 0 && control.absent == len(control.calls) && o.absent == len(o.calls):
		f.Verdict, f.Reason = NotOffered, "this server does not have it, nor for the control account"
	case control.rows() == 0:
		f.Verdict, f.Reason = Unproved, "nothing came, but nor did it for the control account"
	default:
		f.Verdict, f.Reason = Closed, closedReason(o)
	}
	return f
}

func limitedReason(o *observation) string {
	switch {
	case o.fields["group name"] || o.fields["group members"]:
		return count(o.listed, "group", "groups") + " with names and members' numbers"
	case o.fields["email1"]:
		return count(o.listed, "entry", "entries") + " with names and primary addresses"
	}
	return count(o.listed, "entry", "entries") + " with names"
}

// closedReason names the codes with which OX refused, if it did.
func closedReason(o *observation) string {
	codes := map[string]bool{}
	for _, c := range o.calls {
		switch {
		case c.Code != "":
			codes[c.Code] = true
		case c.Status >= 400:
			codes["HTTP "+strconv.Itoa(c.Status)] = true
		}
	}
	if len(codes) == 0 {
		return "nothing of others"
	}
	out := "refused with "
	for i, c := range names(codes) {
		if i > 0 {
			out += ", "
		}
		out += c
	}
	return out
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
