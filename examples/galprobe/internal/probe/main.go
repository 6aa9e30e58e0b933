package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/galprobe"
)

const help = `galprobe proves that the global address books of a site's Open-Xchange contexts
are closed: it logs in as ordinary accounts and tries every way to read other
people. It shows counts and never names.

Usage:

  galprobe [-leave-open]
      Without -config: with a simulated Open-Xchange in this process.
  galprobe -config district.toml [-evidence FILE]
      Probes the contexts of the site; changes nothing.
  galprobe -config district.toml -close
      First takes the book from all users who are not exempt.
  galprobe -nginx|-haproxy [-trusted NETWORKS]
      Prints rules for the proxy in front of Open-Xchange, against the user
      list, which Open-Xchange itself cannot close.

An example for cron, on Sundays:

  0 5 * * 0  galprobe -config /etc/schoolmail/district.toml -evidence /var/log/schoolmail/gal.json

Exit status: 0 everything that Open-Xchange can close is closed; 1 something could
not be asked or proved; 2 bad flags or configuration; 3 something is open, or a
context could not be asked because its database is being updated.

Flags:

`

// Main runs the program and returns its exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := cli.NewFlags("galprobe", help, stdout, stderr)
	config := fs.String("config", "", "configuration `file`; empty: a simulated Open-Xchange")
	evidence := fs.String("evidence", "", "write the evidence as JSON to `file`")
	closeAll := fs.Bool("close", false,
		"first take the permission on the global address book from all users who are not exempt")
	leaveOpen := fs.Bool("leave-open", false, "without -config: leave the book open to one pupil")
	nginx := fs.Bool("nginx", false, "only print rules for nginx")
	haproxy := fs.Bool("haproxy", false, "only print rules for HAProxy")
	remedies := fs.Bool("remedies", false, "print what can be done about findings")
	trusted := fs.String("trusted", "", "comma-separated `networks` that the proxy rules let through")
	if status, ok := fs.Parse(args); !ok {
		return status
	}
	if *nginx || *haproxy {
		opts, err := proxyOptions(*trusted)
		if err != nil {
			return fs.Misused("%v", err)
		}
		write := galprobe.WriteNginx
		if *haproxy {
			write = galprobe.WriteHAProxy
		}
		if err := write(stdout, opts); err != nil {
			return fs.Fail(cli.Failed, err)
		}
		return 0
	}
	var c *Config
	if *config != "" {
		var err error
		if c, err = load(*config); err != nil {
			return fs.Fail(cli.Usage, err)
		}
	} else {
		srv, conf, err := sandbox(ctx, *leaveOpen)
		if err != nil {
			return fs.Fail(cli.Failed, err)
		}
		defer srv.Close()
		c = conf
	}
	fs.Warn(c.Warnings...)
	status, err := run(ctx, c, *closeAll, *evidence, stdout, stderr)
	if err != nil {
		return max(fs.Fail(cli.Failed, err), status) // open stays open
	}
	if *remedies {
		for _, r := range galprobe.Remedies() {
			where := "everything"
			if len(r.Paths) > 0 {
				where = strings.Join(r.Paths, ", ")
			}
			fmt.Fprintf(stdout, "\nAgainst %s:\n%s\n", where, r.Text)
		}
	}
	return status
}

func proxyOptions(networks string) (*galprobe.ProxyOptions, error) {
	o := &galprobe.ProxyOptions{}
	for n := range strings.SplitSeq(networks, ",") {
		if n == "" {
			continue
		}
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("-trusted: %w", err)
		}
		o.Trusted = append(o.Trusted, p)
	}
	return o, nil
}

// run closes the book if asked to, probes, and writes the results.
func run(ctx context.Context, c *Config, closeAll bool, file string, stdout, stderr io.Writer) (int, error) {
	options := &appsuite.Options{HTTPClient: c.HTTPClient, UpdateWait: c.UpdateWait,
		Observer: appsuite.ObserverFunc(func(e appsuite.Event) { fmt.Fprintln(stderr, e) })}
	client, err := appsuite.New(c.HTTPURL, options)
	if err != nil {
		return 0, err
	}
	opts := &galprobe.Options{ServerVersion: c.ServerVersion, DAVRoot: c.DAVRoot}
	if c.ControlURL != "" {
		if opts.ControlClient, err = appsuite.New(c.ControlURL, options); err != nil {
			return 0, err
		}
	}
	var access []galprobe.AccessReport
	if len(c.SOAPURLs) > 0 || closeAll {
		for _, x := range c.Contexts {
			cc, err := c.provisioning(x, stderr)
			if err != nil {
				return 0, err
			}
			r, err := checkAccess(ctx, cc, x, closeAll)
			if err != nil && r.Error == "" {
				r.Error, r.Updating = err.Error(), errors.Is(err, schoolmail.ErrUpdating)
			}
			access = append(access, r)
		}
	}
	e, failure := galprobe.Run(ctx, client, c.HTTPURL, c.targets(), opts)
	if e == nil {
		return 0, failure
	}
	// What was found is written also if the run was stopped.
	e.Access = access
	if err := e.WriteText(stdout); err != nil {
		return 0, err
	}
	if file != "" {
		if err := atomicfile.Write(file, atomicfile.Private, e.WriteJSON); err != nil {
			return 0, err
		}
	}
	return exitStatus(e.Verdict()), failure
}

func checkAccess(ctx context.Context, cc *ox.ContextClient, x Context, closeAll bool) (galprobe.AccessReport, error) {
	var exempt []schoolmail.UserID
	for _, name := range x.Exempt {
		u, err := cc.Users.Get(ctx, ox.UserRef{Name: name})
		if err != nil {
			return galprobe.AccessReport{Context: x.ID}, err
		}
		exempt = append(exempt, u.ID)
	}
	return galprobe.CheckAccess(ctx, x.ID, galprobe.OXAccess(cc), &galprobe.AccessOptions{
		Close: closeAll, Exempt: func(id schoolmail.UserID) bool { return slices.Contains(exempt, id) }})
}

func exitStatus(v galprobe.Verdict) int {
	switch v {
	case galprobe.Closed:
		return cli.Done
	case galprobe.Open, galprobe.Updating:
		return cli.Held
	}
	return cli.Failed
}
