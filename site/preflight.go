package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// Problem is one thing that a run needs of a server and that is missing.
type Problem struct {
	Server  string // which one, with its address
	Key     string // of the district file that is to blame: "[ox] master_password"
	Missing string // in words, without anybody's name
	Warning bool   // it does not hinder yet
}

// String is the problem in a line.
func (p Problem) String() string {
	word := ""
	if p.Warning {
		word = "warning: "
	}
	return fmt.Sprintf("%s%s: %s; look at %s", word, p.Server, p.Missing, p.Key)
}

// A PreflightError says what servers lack that a plan needs. Nothing was done.
type PreflightError struct{ Problems []Problem }

// Error lists what is missing, one a line.
func (e *PreflightError) Error() string {
	lines := []string{"nothing was done, since servers lack what the plan needs:"}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// needs is what is asked for.
type needs struct{ directory, groupware, copies, mail, purge, notices, closing bool }

// needsOf returns what a plan needs; nil is everything.
func needsOf(plan *schoolmail.Plan, policy *schoolmail.Policy, atEnd bool) needs {
	if plan == nil {
		return needs{true, true, len(policy.Contexts) > 1, true, true, true, atEnd}
	}
	var n needs
	for _, s := range plan.Steps {
		n.directory = true
		switch s.Kind() {
		case schoolmail.KindNotice, schoolmail.KindRemind:
			n.notices = true
		case schoolmail.KindCancelNotice:
			n.notices = true
			n.closing, n.mail = atEnd, n.mail || atEnd
		case schoolmail.KindRename:
			n.groupware, n.mail, n.notices = true, true, true
		case schoolmail.KindCreateContext, schoolmail.KindRepair, schoolmail.KindDropCopy:
			n.groupware = true
		case schoolmail.KindTransfer:
			n.groupware, n.copies, n.mail = true, true, true
		case schoolmail.KindPurge:
			n.groupware, n.mail, n.purge, n.closing = true, true, true, atEnd
		case schoolmail.KindDeactivate, schoolmail.KindReactivate:
			n.groupware, n.mail, n.closing = true, true, atEnd
		default:
			n.groupware, n.mail = true, true
		}
	}
	return n
}

// preflight collects what is missing.
type preflight struct {
	set   *Settings
	plan  *schoolmail.Plan
	needs needs

	mu       sync.Mutex
	problems []Problem
}

// preflightTime is how long one server may take to say that it is there.
const preflightTime = 30 * time.Second

// Preflight asks all servers for what a plan needs, or for everything if there is no
// plan, and returns all that is missing, in the order of the servers; none if all is
// well. It connects anew, reads only, and sends no mail. What the program brings along
// itself (own may be nil) is not asked.
//
// What is asked for: that the directory lets one in and that the place of the lease
// can be read there; UDM, if accounts are written by it; that each server of
// Open-Xchange has its services and takes the credentials of master and contexts, that
// it can copy users, and that the access combinations are known; that the mail server
// lets one use the commands that accounts need, and has Sieve where mail to closed mailboxes
// is to be answered or passed on; that the relay is there and takes the
// credentials; and how long certificates are valid, which is told from 14 days before
// their end.
//
// What reading cannot show is not told: whether the directory would let one write.
func (set *Settings) Preflight(ctx context.Context, plan *schoolmail.Plan, own *Parts) []Problem {
	if own == nil {
		own = &Parts{}
	}
	f := &preflight{set: set, plan: plan, needs: needsOf(plan, &set.Policy, len(set.AtEnd) > 0)}
	var wg sync.WaitGroup
	for _, c := range []struct {
		wanted bool
		ask    func(context.Context)
	}{
		{f.needs.directory && own.Directory == nil, f.directory},
		{f.needs.directory && own.Directory == nil, f.udm},
		{f.needs.groupware && own.Groupware == nil, f.groupware},
		{f.needs.mail && own.Mailstore == nil, f.mail},
		{f.needs.notices && own.Notifier == nil, f.relay},
	} {
		if c.wanted {
			wg.Go(func() {
				ctx, cancel := context.WithTimeoutCause(ctx, preflightTime, fmt.Errorf("no answer within %s", preflightTime))
				defer cancel()
				c.ask(ctx)
			})
		}
	}
	wg.Wait()
	slices.SortFunc(f.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Missing, b.Missing))
	})
	return slices.Compact(f.problems)
}

// ready is Preflight for a run that wants it: what only warns is a finding of its world.
func (s *Site) ready(ctx context.Context, act *Act, o *RunOptions) error {
	if !o.Preflight || act.Plan.Empty() {
		return nil
	}
	var missing []Problem
	for _, p := range s.settings.Preflight(ctx, act.Plan, &s.brought) {
		if p.Warning {
			act.World.Findings = append(act.World.Findings, schoolmail.Finding{Kind: "server",
				Text: fmt.Sprintf("%s: %s; look at %s", p.Server, p.Missing, p.Key)})
			continue
		}
		missing = append(missing, p)
	}
	if len(missing) > 0 {
		return &PreflightError{missing}
	}
	return nil
}

func (f *preflight) say(p Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, p)
}

// failed tells of a call that has failed; key is to blame unless it is a certificate.
func (f *preflight) failed(ctx context.Context, server, section, key string, err error) {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if file, ok := blamesCertificate(err); ok {
		key = cmp.Or(file, key)
	}
	f.say(Problem{Server: server, Key: "[" + section + "] " + key, Missing: err.Error()})
}

func (f *preflight) directory(ctx context.Context) {
	server := "directory " + f.set.DirectoryURL
	watch := f.watch(server, "directory", "url")
	o := f.set.Directory
	o.TLS, o.Logger, o.Observer = watch.config(o.TLS), nil, nil
	client, err := ucs.New(f.set.DirectoryURL, &o)
	if err != nil {
		f.failed(ctx, server, "directory", "url", err)
		return
	}
	defer client.Close()
	if _, err = client.Note(ctx, lease.Name); err == nil {
		return
	}
	key := "url"
	switch {
	case errors.Is(err, ucs.ErrDenied):
		key = "password"
	case errors.Is(err, ucs.ErrNotFound):
		key = "base_dn"
	}
	f.failed(ctx, server, "directory", key, err)
}

func (f *preflight) udm(ctx context.Context) {
	d := f.set.Directory
	if d.Write != ucs.WriteUDM && d.Write != ucs.WriteAuto {
		return
	}
	const server = "UDM"
	_, err := d.UDM.Find(ctx, udm.Users, "", "(uid="+nobodyName+")")
	if err != nil {
		key := "udm_url"
		if errors.Is(err, udm.ErrDenied) {
			key = "udm_password"
		}
		f.failed(ctx, server, "directory", key, err)
	}
	if f.set.UDMURL != "" {
		w := f.watch(server, "directory", "udm_url")
		w.visit(ctx, f.set.UDMURL, w.config(f.set.Directory.TLS))
	}
}

func (f *preflight) relay(ctx context.Context) {
	server := "relay " + f.set.SMTPAddr
	o := f.set.SMTP
	o.TLS = f.watch(server, "notices", "addr").named(o.TLS, f.set.SMTPAddr)
	mailer, err := notify.New(f.set.SMTPAddr, f.set.MailFrom, &o)
	if err != nil {
		f.failed(ctx, server, "notices", "addr", err)
		return
	}
	defer mailer.Close()
	if err := mailer.Check(ctx); err != nil {
		key := "addr"
		if errors.Is(err, notify.ErrRefused) {
			key = "password"
		}
		f.failed(ctx, server, "notices", key, err)
	}
}
