package books

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
)

// Job is everything that is needed to plan and to sync.
type Job struct {
	Rules    addressbook.Rules
	Accounts []schoolmail.Account
	Today    schoolmail.Date
	Provider addressbook.ProviderOptions
	Observer addressbook.Observer // is told of the progress; may be nil
	Warnings []string             // of the district file
	Done     addressbook.Counts   // what the last run has done

	url     string // of the HTTP API
	cred    map[schoolmail.ContextID]appsuite.Credentials
	options *appsuite.Options
	waits   appsuite.Observer // is told what the server keeps waiting for; may be nil
	access  *oxAccess         // nil before the login
	lease   *lease.Lease      // of the district; nil: nothing is written
	ahead   *ahead            // nil: the lease is there, or not needed
	cleanup func() error
}

// ahead is a job that looks before it takes the lease, since on most nights there is
// nothing to write.
type ahead struct {
	directory *ucs.Client
	seen      lease.Sight
	options   lease.Options
}

// Options of [Open]; nil is the zero value.
type Options struct {
	People int // of the made-up district, without a file
	// Apply says that books will be written. If any have to be, the district's lease is
	// taken, so that nobody changes the directory meanwhile. It is held until [Job.Close].
	Apply      bool
	BreakLease bool           // take it from whoever holds it
	Observer   lease.Observer // is told who holds it, before it is watched; may be nil
}

// login opens a session in each context, unless that is done. A context that
// refuses it does not keep the others from being synced.
func (j *Job) login(ctx context.Context) (err error) {
	if j.access == nil {
		var opts appsuite.Options
		if j.options != nil {
			opts = *j.options
		}
		opts.Observer = j.waits
		j.access, err = openOX(ctx, j.url, j.cred, &opts)
	}
	return err
}

// Open reads the configuration and the people. Without a file it makes a sandbox
// instead.
func Open(ctx context.Context, file string, opts *Options) (_ *Job, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if file == "" {
		return openSandbox(ctx, cmp.Or(o.People, 400))
	}
	c, err := district.Load(file, &district.Options{Program: district.Addressbooks})
	if err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	j := &Job{Rules: addressbook.DefaultRules(), Today: schoolmail.DateOf(time.Now()), Warnings: c.Warnings,
		cleanup: func() error { return nil }}
	a := c.Addressbooks
	if a.Rules != "" {
		if j.Rules, err = readRules(a.Rules); err != nil {
			return nil, &cli.UsageError{Err: err}
		}
	}
	j.Rules.Salt = a.Salt
	for _, x := range c.Excludes {
		j.Rules.Exclude = append(j.Rules.Exclude, addressbook.Exclusion{ID: x.ID, Username: x.Username})
	}
	v := a.Provider
	j.Provider = addressbook.ProviderOptions{Host: v.Host, Port: v.Port, BaseDN: v.BaseDN, BindDN: v.BindDN,
		BindPassword: v.BindPassword, Filter: v.Filter}
	j.url, j.cred = c.OX.HTTPURL, map[schoolmail.ContextID]appsuite.Credentials{}
	for _, x := range c.Contexts {
		if x.ServiceLogin != "" {
			j.cred[x.ID] = appsuite.Credentials{Name: x.LoginName(x.ServiceLogin), Password: x.ServicePassword}
		}
	}
	j.options = &appsuite.Options{UserAgent: a.UserAgent, Rate: appsuite.Rate{Requests: a.RequestsPer5Minutes},
		UpdateWait: time.Duration(c.OX.UpdateWaitSeconds) * time.Second}
	if j.options.HTTPClient, err = district.HTTPClient(c.OX.CAFile); err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	if err := j.readPeople(ctx, &c.Directory, &o); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// readPeople reads the people of the directory; under the district's lease, which the
// job keeps, if somebody else has it or it is to be broken. If it is free it is taken
// when there is something to write.
func (j *Job) readPeople(ctx context.Context, d *district.Directory, o *Options) error {
	client, err := directory(d)
	if err != nil {
		return err
	}
	j.cleanup = client.Close
	if o.Apply {
		a := &ahead{directory: client, options: lease.Options{Break: o.BreakLease, Observer: o.Observer}}
		if a.seen, err = lease.Look(ctx, client); err != nil {
			return fmt.Errorf("nothing was done: %w", err)
		}
		j.ahead = a
		if o.BreakLease || !a.seen.Free() {
			return j.take(ctx)
		}
	}
	return j.read(ctx, client)
}

func (j *Job) read(ctx context.Context, client *ucs.Client) error {
	j.Accounts = nil
	for a, err := range client.Accounts(ctx) {
		if err != nil {
			return err
		}
		j.Accounts = append(j.Accounts, a)
	}
	return nil
}

// take takes the lease, and reads the people under it unless nobody has held it since
// they were read.
func (j *Job) take(ctx context.Context) (err error) {
	a := j.ahead
	j.ahead = nil
	if j.lease, err = lease.Acquire(ctx, a.directory, "", &a.options); err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	if len(j.Accounts) > 0 && j.lease.Since(a.seen) {
		return nil
	}
	ctx, end := j.under(ctx)
	defer end()
	return j.read(ctx, a.directory)
}

func readRules(file string) (rules addressbook.Rules, err error) {
	if err := district.Decode(file, &rules); err != nil {
		return addressbook.Rules{}, err
	}
	if err := rules.Validate(); err != nil {
		return addressbook.Rules{}, fmt.Errorf("%s: %w", file, err)
	}
	return rules, nil
}

// directory connects to the directory.
func directory(d *district.Directory) (_ *ucs.Client, err error) {
	opts := &ucs.Options{BindDN: d.BindDN, Password: d.Password, BaseDN: d.BaseDN, Plaintext: d.Plaintext,
		StateAttribute: d.StateAttribute}
	if d.CAFile != "" {
		if opts.TLS, err = district.TLS(d.CAFile); err != nil {
			return nil, err
		}
	}
	return ucs.New(d.URL, opts)
}

func openSandbox(ctx context.Context, size int) (*Job, error) {
	p, err := sitetest.StartPopulated(ctx, sitetest.WithPeople(size))
	if err != nil {
		return nil, err
	}
	j := &Job{Rules: addressbook.DefaultRules(), Accounts: p.Accounts, Today: p.District.Today(),
		cleanup: p.Close,
		Provider: addressbook.ProviderOptions{Host: "ldap.schulen.example", BaseDN: p.LDAP.BaseDN,
			BindDN: "uid=ox,cn=users," + p.LDAP.BaseDN},
	}
	j.Rules.Salt = sitetest.Salt
	for _, school := range p.District.Schools() {
		j.Rules.Schools = append(j.Rules.Schools, addressbook.School{ID: school.ID, Name: school.Name})
	}
	j.url, j.cred = p.OX.HTTPURL, map[schoolmail.ContextID]appsuite.Credentials{}
	for _, c := range p.Policy.Contexts {
		j.cred[c.ID] = appsuite.Credentials{Name: sitetest.ServiceLogin + "@" + c.Name, Password: sitetest.UserPassword}
	}
	return j, nil
}

// Close logs out, gives the lease back and ends the sandbox.
func (j *Job) Close() error {
	var errs []error
	if j.access != nil {
		errs = append(errs, j.access.close())
	}
	if j.lease != nil {
		errs = append(errs, j.lease.Release())
	}
	return errors.Join(append(errs, j.cleanup())...)
}
