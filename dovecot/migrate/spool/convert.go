package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// Layouts of the target's folders, Dovecot's LAYOUT of mail_location.
const (
	LayoutMaildir = ""   // Maildir++: Maildir/.A.B
	LayoutFS      = "fs" // Maildir/A/B
)

// Options of a [Converter]. The zero value is for Maildir++ with the
// hierarchy separator "/".
type Options struct {
	// Folders are the same rules as those of the migration over IMAP. Without
	// FolderPlan, name in Roles every folder that Dovecot's configuration marks
	// by another than its English name, and Archive if it has one.
	Folders migrate.FolderRules
	// FolderPlan asks both servers where each folder goes, usually
	// [migrate.Migrator.Plan]. It takes the place of Folders, and knows what the
	// spool does not tell: special use and the folders that Dovecot is to make.
	FolderPlan func(ctx context.Context, account string) (*migrate.FolderPlan, error)
	// Separator and Prefix are those of Dovecot's personal namespace; "/" and none.
	Separator, Prefix string
	// Layout is LayoutMaildir or LayoutFS.
	Layout string
	// Owner of the files. The default is the owner of the Maildir, or of the
	// directory it is made in; that must not be root.
	Owner *Owner
	// KeepDeleted leaves messages at the target that were deleted at the source.
	KeepDeleted bool
	// MaxDeleted holds deletions back when they are more than this share of an
	// account's delivered messages (and more than 20). 0 means 0.5.
	MaxDeleted float64
	// Parallel is the number of accounts at a time in [Converter.ConvertAll]; 0 means 4.
	Parallel int
	// NoSync leaves it to the system when data reach the disk: faster, and
	// after a power failure the Maildir and the state have to be thrown away.
	NoSync bool
	// Observer is told what happens; [migrate.Finished] carries the result in
	// the terms of that package.
	Observer migrate.Observer
	// Now is the clock, time.Now when nil.
	Now func() time.Time

	fault func(op, path string) error // see disk
}

// Account is one mailbox to convert.
type Account struct {
	// Name is the account's name in results and in the state.
	Name string
	// Source is the login name at Cyrus, Name when empty.
	Source string
	// Maildir is the directory that holds cur and new of INBOX. It is made
	// when missing, with the directory above it.
	Maildir string
}

func (a *Account) source() string {
	if a.Source != "" {
		return a.Source
	}
	return a.Name
}

// Outcome is the end of one account in [Converter.ConvertAll].
type Outcome struct {
	Account Account
	Result  *Result
	Err     error
}

// Converter brings accounts of one spool into Maildirs. It may be used by
// several goroutines.
type Converter struct {
	store *store
	state string
	opt   Options
	marks func() map[string]migrate.Role
}

// New makes a Converter. The directory state holds a file for each account;
// it is made when needed, and may be the one of the migration over IMAP.
//
// Which mailbox lies where is read once, at the first use; a Converter is for
// one run over many accounts, and the next run makes a new one.
func New(src Source, state string, opts *Options) *Converter {
	c := &Converter{store: newStore(src), state: state}
	if opts != nil {
		c.opt = *opts
	}
	if c.opt.Separator == "" {
		c.opt.Separator = "/"
	}
	if c.opt.MaxDeleted == 0 {
		c.opt.MaxDeleted = 0.5
	}
	if c.opt.Parallel <= 0 {
		c.opt.Parallel = 4
	}
	if c.opt.Now == nil {
		c.opt.Now = time.Now
	}
	c.marks = sync.OnceValue(func() map[string]migrate.Role {
		b, err := readLimited(filepath.Join(src.Config, "annotations.db"), 1<<30)
		if err != nil {
			return nil
		}
		return scanMarks(b)
	})
	return c
}

// Accounts lists the users who have mailboxes in the spool, sorted.
func (c *Converter) Accounts() ([]string, error) {
	users, err := c.store.accounts()
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return users, nil
}

// Unreadable lists mailbox directories whose user is not known, because their
// cyrus.header is damaged. Cyrus' reconstruct mends them.
func (c *Converter) Unreadable() ([]string, error) {
	byID, err := c.store.byID()
	var out []string
	for _, b := range byID[""] {
		out = append(out, b.meta("cyrus.header"))
	}
	return out, err
}

// check refuses a spool that looks like a file system that is not mounted.
func (c *Converter) check() error {
	if len(c.store.Partitions) == 0 {
		return fmt.Errorf("%w: no partition is named", ErrSource)
	}
	for _, p := range c.store.Partitions {
		for _, dir := range []string{p.Data, p.Meta, p.Archive} {
			if dir == "" && dir != p.Data {
				continue
			}
			d, err := os.Open(dir)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrSource, err)
			}
			names, err := d.Readdirnames(1)
			d.Close()
			if len(names) == 0 {
				return fmt.Errorf("%w: %s is empty (%v)", ErrSource, dir, err)
			}
		}
	}
	return nil
}

// open finds an account's mailboxes, with INBOX first.
func (c *Converter) open(ctx context.Context, acct Account) ([]mailbox, error) {
	if acct.Name == "" || !filepath.IsAbs(acct.Maildir) {
		return nil, fmt.Errorf("an account needs a name and the absolute path of its Maildir, not %q", acct.Maildir)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	boxes, err := c.store.mailboxes(ctx, acct.source())
	if err != nil {
		return nil, err
	}
	if len(boxes) == 0 || boxes[0].folder != "" {
		return nil, ErrNoMailbox
	}
	return boxes, nil
}

// Plan tells what Convert would do with each folder. It changes nothing.
func (c *Converter) Plan(ctx context.Context, acct Account) (*Plan, error) {
	fail := func(err error) (*Plan, error) { return nil, failed(acct.Name, "plan", err) }
	boxes, err := c.open(ctx, acct)
	if err != nil {
		return fail(err)
	}
	st, err := peekState(c.state, acct.Name)
	if err != nil {
		return fail(err)
	}
	p, err := c.plan(ctx, acct, boxes, st, nil)
	if err != nil {
		return fail(err)
	}
	return p, nil
}

// ConvertAll converts several accounts at a time. One that fails stops no
// other; the outcomes are in the order of the accounts.
func (c *Converter) ConvertAll(ctx context.Context, accounts []Account) []Outcome {
	out := make([]Outcome, len(accounts))
	var g errgroup.Group
	g.SetLimit(c.opt.Parallel)
	for i, a := range accounts {
		g.Go(func() error {
			out[i].Account = a
			if out[i].Err = ctx.Err(); out[i].Err == nil {
				out[i].Result, out[i].Err = c.Convert(ctx, a)
			}
			return nil
		})
	}
	g.Wait()
	return out
}

// Convert brings one account to its Maildir, or brings what is new since the
// last time. The result is returned with an error, too, as far as it got.
func (c *Converter) Convert(ctx context.Context, acct Account) (*Result, error) {
	r := &run{c: c, acct: acct, d: &disk{noSync: c.opt.NoSync, fault: c.opt.fault}, now: c.opt.Now(),
		res: &Result{Account: acct.Name, Begin: c.opt.Now().UTC()}}
	err := r.convert(ctx)
	r.res.Duration = c.opt.Now().Sub(r.now)
	for _, f := range r.res.Folders {
		r.res.Total.add(f)
	}
	if err != nil {
		err = failed(acct.Name, r.op, err)
	}
	if o := c.opt.Observer; o != nil {
		o.Observe(migrate.Finished{Account: acct.Name, Result: r.res.migrate(), Err: err})
	}
	return r.res, err
}

// migrate says the same in the terms of the migration over IMAP.
func (r *Result) migrate() *migrate.Result {
	m := &migrate.Result{Account: r.Account, Stage: migrate.FirstCopy, Copied: r.Total.Copied, Bytes: r.Total.Bytes,
		Adopted: r.Total.Adopted, Flags: r.Total.Flags, Deleted: r.Total.Removed, Failed: r.Total.Failed,
		Checked: len(r.Folders) + r.Unchanged, Findings: r.Findings, Begin: r.Begin, Duration: r.Duration}
	for _, f := range r.Folders {
		m.Folders = append(m.Folders, &migrate.FolderResult{Source: f.Source, Target: f.Target, Copied: f.Copied,
			Bytes:   f.Bytes,
			Adopted: f.Adopted, Flags: f.Flags, Deleted: f.Removed, Failed: f.Failed})
	}
	for _, p := range r.Problems {
		m.Problems = append(m.Problems, migrate.Problem{Folder: p.Folder, UID: p.UID, Kind: p.Kind,
			Text: strings.TrimSpace(p.Text + " " + p.Path)})
	}
	return m
}

// run is one run over one account.
type run struct {
	c    *Converter
	acct Account
	d    *disk
	st   *state
	res  *Result
	now  time.Time
	op   string // under way, for the error

	removals []removal
	done     int
	bytes    int64
	seen     map[string]string // the user's database, read when it is needed
	seenErr  error
	seenFile string
}

func (r *run) find(format string, args ...any) {
	r.res.Findings = append(r.res.Findings, fmt.Sprintf(format, args...))
}

func (r *run) problem(folder string, uid uint32, kind, path, format string, args ...any) {
	r.res.Problems = append(r.res.Problems, Problem{folder, uid, kind, path, fmt.Sprintf(format, args...)})
}

// started tells the observer what there is to do.
func (r *run) started(p *Plan) {
	o := r.c.opt.Observer
	if o == nil {
		return
	}
	n := 0
	for _, f := range p.Folders {
		n += f.Messages
	}
	o.Observe(migrate.Started{Account: r.acct.Name, Folders: len(p.Folders), Messages: n})
}

func (r *run) convert(ctx context.Context) (err error) {
	r.op = "open"
	boxes, err := r.c.open(ctx, r.acct)
	if err != nil {
		return err
	}
	if err := checkMigrate(r.c.state, r.acct.Name); err != nil {
		return err
	}
	if r.d.owner = r.c.opt.Owner; r.d.owner == nil {
		if r.d.owner, err = ownerFor(r.acct.Maildir); err != nil {
			return err
		}
	}
	if r.st, err = openState(r.c.state, r.acct.Name); err != nil {
		return err
	}
	defer func() {
		if err != nil { // what has been delivered is written down in any case
			r.st.save(r.d)
		}
		err = errors.Join(err, r.st.close())
	}()
	if r.st.folders[""] != nil && !exists(filepath.Join(r.acct.Maildir, uidlistName)) {
		return fmt.Errorf("%w: %s", ErrTargetNew, r.acct.Maildir)
	}
	inbox, _ := boxes[0].header()
	subs, err := r.c.store.subscriptions(r.acct.source(), inbox.uniqueID)
	if err != nil {
		r.find("the subscriptions are not known: %v", err)
	}

	r.op = "plan"
	p, err := r.c.plan(ctx, r.acct, boxes, r.st, subs)
	if err != nil {
		return err
	}
	r.res.LeftBehind, r.res.Findings = p.LeftBehind, append(r.res.Findings, p.Findings...)
	r.started(p)

	r.op = "copy"
	if !exists(filepath.Dir(r.acct.Maildir)) {
		if err := r.d.mkdir(filepath.Dir(r.acct.Maildir)); err != nil {
			return err
		}
	}
	for i := range p.Folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := &p.Folders[i]
		if err := r.folder(ctx, f); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.problem(f.Source, 0, ProblemFolder, f.Dir, "%v", err)
			if errors.Is(err, ErrUIDValidity) {
				r.res.LeftBehind = append(r.res.LeftBehind, LeftBehind{f.Source, f.Messages, LeftNumbers, err.Error()})
			}
		}
	}
	r.op = "delete"
	if err := r.vanished(boxes, p); err != nil {
		return err
	}
	if err := r.remove(); err != nil {
		return err
	}
	r.op = "subscribe"
	if err := r.subscribe(p, subs); err != nil {
		return err
	}
	r.op = "state"
	return r.st.save(r.d)
}
