package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/eventlog"
	"github.com/ictmedia/schoolmail/site/report"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

const help = `provision keeps accounts, Open-Xchange places and mailboxes in step with the
school administration's export.

Usage:

  provision [-people N] [-seed N] [-out DIR]
      Without -config: plays a school year of a made-up district on simulated
      servers in this process. Nothing outside is touched.

  provision -config district.toml
      Reads the export and the servers, plans, prints the plan. Writes nothing.
  provision -config district.toml -apply
      Plans and applies.
  provision -config district.toml -plan plan.json
      Saves the plan for review ...
  provision -config district.toml -apply-plan plan.json
      ... and applies exactly this plan. It is refused when the export, the
      policy or the servers have changed since.
  provision -approve plan.json
      Writes beside the plan that you approve it. With four_eyes = true in
      [guards] only a plan that somebody else has approved is applied.
  provision -config district.toml -undo RUN
      Plans to take back what a run has done, as far as that is possible; -plan
      and -apply go with it as above. RUN is the name of the run's folder or the
      id of its plan. As long as the export says the same, the next ordinary run
      does it all again.

Whatever is applied leaves a folder with the plan and the report (text, JSON,
HTML) and acknowledgement.csv, which tells the school administration in German
and French which records were not taken as sent; its folder schools has the part
of each school. Every run has a folder of its own in the state folder, under
runs/, where people are named by the ids of their records; -out names a folder
for a copy of the last one that names them. Delete it when nobody needs it any
more.

Every run can be repeated at any time, also after a crash, and then does only
what is missing. An example for cron, at two in the morning:

  0 2 * * *  provision -config /etc/schoolmail/district.toml -apply -out /var/log/schoolmail

  provision -config district.toml -school ps-a [-role R] [-person WHO] [-kind K]
      Shows only a part of the plan; several, with commas between, are possible.
  provision -config district.toml -only-school ps-a | -only-person WHO [-apply]
      Does only a part of the plan, for a pilot or a repair. Everything is decided
      on the whole, so nobody else counts as gone and all limits hold; a step that
      needs one of those left out waits. The journal says that a run was limited.

  provision -config district.toml -explain WHO
      Tells all that is known of one person, by user name, mail address or record
      id: as delivered, account, places in OX, mailbox, address books, holds, what
      would be done now, what is held and why, what was done last. Writes nothing.

  provision -config district.toml -drift [-school S] [-role R] [-person WHO]
      Compares export, directory, Open-Xchange and mail store, and lists who differs
      where. Reads only. Exit status: 0 no difference, 3 some.
  provision -config district.toml -calendar [-school S] [-role R] [-person WHO]
      Tells on which day whose mailbox closes, whose account is removed for ever and
      which old copies go, unless the records come again. Reads only.
  provision -config district.toml -forecast [-churn NEW,GONE]
      Tells how full each context is now, after this plan and through the next year,
      on which day one is full, and for whom a context is to be declared by when.
      The churn is that of the runs kept of the last twelve months, or declared:
      percent of people who come and go with each change of terms. Exit status 3:
      somebody will find no seat.

  provision -config district.toml -rehearse [-export DIR] [-latencies LIST]
      Copies what is observed into simulated servers, plays a run with another
      export there, say that of the next term, and tells steps, requests and time
      per server, and what would be held and why. The district's servers are read
      only. What a request takes is what the last run has measured (status.json), else
      what reading shows, or given with -latencies for ldap, ox-soap, doveadm and
      smtp. Exit status 3: something would be held, or fail.

  provision -config district.toml -hold WHO -reason TEXT -until YYYY-MM-DD [-by NAME]
  provision -config district.toml -release WHO [-by NAME]
      Nothing is made, changed or taken away of a person on hold, whatever the
      export says; plans and reports show what waits, and why. A hold that is
      over, or that means nobody, is told. The journal keeps who has put somebody
      on hold and who has released them.

  provision -config district.toml -rename WHO [-to-given N] [-to-family N]
            [-to-address A] [-to-username U] [-by NAME] [-apply]
      Gives a person another address, another user name where change_usernames in
      [naming] allows it, and what they are called: by the scheme from the names
      delivered, or as the flags say. Without -apply it only shows the plan. The
      old address stays an alias for old_address_days and ends by itself; the
      person is told. Mail moves along, sessions end. Where Open-Xchange changes no
      login names the user name is held, and the rest is done. Cut off, the same
      command or the next run completes it.

  provision -config district.toml -new-password WHO [-by NAME] [-apply]
  provision -config district.toml -new-password-class SCHOOL/CLASS [-by NAME] [-apply]
      Gives a person, or the pupils of a class, a new initial password; without
      -apply it only tells whom. It goes to the school as that of a new account
      does: into the list, encrypted, in a letter. Sessions end. Nobody gets one
      who is on hold, was deactivated, or whose log-in somebody has closed. The
      journal keeps who has asked for whom. Cut off, the same command goes on.
      Exit status 3: somebody was left out.

  provision -config district.toml -subject WHO
      Prints all that is kept about one person, for somebody who asks for it: what
      -explain tells, what kept runs and the whole journal have, lists with an
      initial password, copies, address books. Who was purged is found by record id:
      the proof of it. Writes nothing.

  provision -config district.toml -call-off USER
      Removes the day on which UCS@school deletes an account because its importer
      has marked it. With stamps = "adopt" in [directory] a closed account counts as
      deactivated from that day on; otherwise its record decides. Until then marked
      accounts are on hold and told with each run.

  provision -config district.toml -adopt LIST.csv [-apply]
      Takes over a site that lives already. If there is no such file yet, it is
      written: accounts without a record id that look like a delivered person, sure
      or to ask for. Somebody goes through the list and signs it. Then the same
      command checks it, and with -apply the accounts get the record ids beside
      them and nothing else. Done again it does what is missing. Until an account
      has its id, no second one is made for its person.

  provision -config district.toml -preview-notices
      Prints every text that people may get, with a made-up person's data. Asks no
      server.

  provision -config district.toml -check
      Asks all servers for what runs need: log-ins, services, access combinations,
      commands, relay, certificates' dates. All that is missing is told, with the
      key of the district file to blame. Reads only; plans nothing. Exit status, for
      a monitor: 0 all well, 1 something missing, 2 configuration, 3 all is there,
      but something wants a look soon, such as a certificate that ends within 14
      days. A run with -apply asks for what its plan needs before it writes.

  provision -config district.toml -status [-max-age 26h]
      Says in one line, for a monitor, how the last applied run went and how old
      the last success and the export are. Asks no server. Exit status: 0 OK,
      1 warning, 2 critical, 3 unknown, as Nagios-like monitors expect. The line
      is made from status.json in the state folder, which every run with -apply
      writes, also one that fails; metrics_file has the same for Prometheus.

  provision -describe FILE...
      Looks at export files (folders, zip archives) of any layout, says what is
      in them, and prints a profile to edit; with -show-values also examples of
      people's fields. Keep it in a file and name that in [export] profile.
  provision -config district.toml -try-nasty
      Spoils a copy of the export in memory, in all the ways in which exports go
      wrong, and says what would come of each. Asks no server, writes nothing.

Exit status: 0 all done; 1 failed; 2 bad flags, configuration or export,
nothing was done; 3 finished, but something was held back or failed for single
people: read the report. With -detailed-exitcode also 4 and 5: like 0 and 3, but
there was something to do, or with -apply something was done; then 0 and 3 mean
that there was not. Nothing to do prints one line, with -q none.

Flags:

`

// options are the flags.
type options struct {
	describe, showValues, tryNasty        bool
	config, plan, applyPlan, undo, out    string
	explain, approve, subject, callOff    string
	adopt                                 string
	apply, dryRun, quiet, status, preview bool
	check                                 bool
	breakLease, anyDay, verify            bool
	maxAge                                time.Duration
	people                                int
	seed                                  uint64
	latency                               time.Duration
	now                                   schoolmail.Date
	shown, only                           schoolmail.Selection
	detailed                              bool
	hold, release, reason, by, churn      string
	drift, forecast, calendar, rehearsal  bool
	export, latencies                     string
	syslog                                string
	newPassword, newPasswordClass         string
	rename                                string
	renameTo                              schoolmail.RenameRequest
	until                                 schoolmail.Date
}

// program is one run of the program.
type program struct {
	options
	flags          *cli.Flags
	stdout, stderr io.Writer
	progress       *progress
	log            *eventlog.Log // nil: none
	report         *report.Report
}

// Main is the program: it parses the arguments (without the program's name),
// runs, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := cli.NewFlags("provision", help, stdout, stderr)
	p := &program{flags: fs, stdout: stdout, stderr: stderr, report: &report.Report{Title: "schoolmail",
		Written: time.Now()}}
	fs.StringVar(&p.config, "config", "", "configuration `file` of the site; without it the sandbox is used")
	fs.BoolVar(&p.apply, "apply", false, "apply what was planned")
	fs.BoolVar(&p.dryRun, "dry-run", false, "only plan; this is the default, the flag makes it explicit")
	fs.StringVar(&p.plan, "plan", "", "save the plan to this `file`")
	fs.StringVar(&p.applyPlan, "apply-plan", "", "apply the reviewed plan in this `file`")
	fs.StringVar(&p.approve, "approve", "",
		"write beside the plan or list in this `file` that you approve it, and do nothing else")
	fs.StringVar(&p.undo, "undo", "", "plan to take back what this `run` has done")
	fs.StringVar(&p.out, "out", "", "write plan and reports (text, JSON, HTML) to this `folder`, too")
	listVar(fs, &p.shown.Schools, "school", "show only what concerns people at these `schools`, with commas between")
	listVar(fs, &p.shown.Roles, "role", "show only what concerns people of these `roles`: pupil, teacher, staff")
	listVar(fs, &p.shown.People, "person", "show only what concerns these `people`: user names, addresses or record ids")
	listVar(fs, &p.shown.Kinds, "kind", "show only steps of these `kinds`, such as create,transfer")
	listVar(fs, &p.only.Schools, "only-school", "do only what concerns people at these `schools`")
	listVar(fs, &p.only.People, "only-person", "do only what concerns these `people`")
	fs.BoolVar(&p.detailed, "detailed-exitcode", false, "tell by the exit status whether there was anything to do")
	fs.BoolVar(&p.breakLease, "break-lease", false, "take the district from another run, which is known to be gone")
	fs.BoolVar(&p.anyDay, "any-day", false, "sandbox: apply a plan for the day of -now")
	fs.BoolVar(&p.verify, "verify-journal", false, "check the journal from its beginning, and do nothing else")
	fs.BoolVar(&p.check, "check", false, "ask all servers for what runs need, and do nothing else")
	fs.IntVar(&p.people, "people", 400, "sandbox: `number` of people in the district")
	fs.Uint64Var(&p.seed, "seed", 1, "sandbox: `number` that the district is made from")
	fs.DurationVar(&p.latency, "latency", 0, "sandbox: `time` that each request to OX and doveadm takes")
	fs.BoolVar(&p.quiet, "q", false, "no progress")
	fs.StringVar(&p.subject, "subject", "", "print all that is kept about one `person`: user name, address or record id")
	fs.StringVar(&p.callOff, "call-off", "",
		"call off the deletion of this `user` that UCS@school's importer has set, and do nothing else")
	fs.StringVar(&p.adopt, "adopt", "",
		"propose which accounts belong to whom in this `list`; if it is there, check it, and with -apply carry it out")
	fs.StringVar(&p.explain, "explain", "", "tell all that is known of one `person`: user name, address or record id")
	fs.BoolVar(&p.drift, "drift", false, "compare export, directory, OX and mail store, and do nothing else")
	fs.BoolVar(&p.calendar, "calendar", false, "tell what closes when, and do nothing else")
	fs.BoolVar(&p.forecast, "forecast", false, "tell how the contexts fill through the year, and do nothing else")
	fs.BoolVar(&p.rehearsal, "rehearse", false, "play a run on a copy in simulated servers, and do nothing else")
	fs.StringVar(&p.export, "export", "", "with -rehearse: the `folder` of the export to play, instead of the district's")
	fs.StringVar(&p.latencies, "latencies", "", "with -rehearse: what a request takes, as in `ldap=2ms,ox-soap=90ms`")
	fs.StringVar(&p.churn, "churn", "", "with -forecast: `NEW,GONE` percent of people with each change of terms; "+
		"default as in the kept runs")
	fs.StringVar(&p.syslog, "syslog", "", "log to the system's log at this `address`: local, a socket, udp:host:port; "+
		"names nobody")
	fs.StringVar(&p.hold, "hold", "", "do nothing about a `person` for a while; needs -reason and -until")
	fs.StringVar(&p.release, "release", "", "end the hold of a `person`")
	fs.StringVar(&p.reason, "reason", "", "with -hold: `why`")
	fs.TextVar(&p.until, "until", schoolmail.Date(0), "with -hold: its last `day`, YYYY-MM-DD")
	fs.StringVar(&p.by, "by", "", "with -hold, -release, -rename and -new-password: `who` has decided it; default you")
	fs.StringVar(&p.rename, "rename", "",
		"give a `person` other names: user name, address or record id; by the scheme, or as -to-... say; -apply does it")
	fs.StringVar(&p.renameTo.GivenName, "to-given", "", "with -rename: given `name` to be called by, also for the scheme")
	fs.StringVar(&p.renameTo.FamilyName, "to-family", "",
		"with -rename: family `name` to be called by, also for the scheme")
	fs.StringVar(&p.renameTo.Mail, "to-address", "", "with -rename: this mail `address` instead of that of the scheme")
	fs.StringVar(&p.renameTo.Username, "to-username", "", "with -rename: this user `name` instead of that of the scheme")
	fs.StringVar(&p.newPassword, "new-password", "",
		"give a `person` a new initial password: user name, address or record id; -apply does it")
	fs.StringVar(&p.newPasswordClass, "new-password-class", "",
		"give the pupils of a `class`, SCHOOL/CLASS, new initial passwords; -apply does it")
	fs.BoolVar(&p.preview, "preview-notices", false, "print all texts that people may get, and do nothing else")
	fs.BoolVar(&p.status, "status", false, "tell a monitor how the last run went, and do nothing else")
	fs.DurationVar(&p.maxAge, "max-age", 26*time.Hour,
		"with -status: `time` after which the last success or the export is too old")
	fs.TextVar(&p.now, "now", schoolmail.Date(0), "`day` to plan for, YYYY-MM-DD, for rehearsals; default today")
	fs.BoolVar(&p.describe, "describe", false, "describe the export files that follow, and do nothing else")
	fs.BoolVar(&p.showValues, "show-values", false, "with -describe: show examples of people's fields")
	fs.BoolVar(&p.tryNasty, "try-nasty", false, "try spoilt copies of the export, and do nothing else")
	fs.Arguments = true
	if status, ok := fs.Parse(args); !ok {
		return status
	}
	chosen, status := p.choose()
	if chosen == nil {
		return status
	}
	p.progress = newProgress(stderr, cli.IsTerminal(stderr))
	if p.quiet {
		p.progress = newProgress(io.Discard, false)
	}
	return chosen(ctx)
}

// approvePlan writes down who has reviewed a plan.
func (p *program) approvePlan(context.Context) int {
	a, err := site.ApprovePlan(p.approve)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	what := "plan " + a.Plan
	if strings.HasSuffix(p.approve, ".csv") {
		what = "the list, SHA-256 " + a.SHA256
	}
	fmt.Fprintf(p.stdout, "%s has approved %s.\n", a.User, what)
	return cli.Done
}

// demonstrate plays a year on simulated servers.
func (p *program) demonstrate(ctx context.Context) int {
	sb, err := sitetest.Start(sitetest.WithPeople(p.people), sitetest.WithSeed(p.seed), sitetest.WithLatency(p.latency))
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer sb.Close()
	p.report.Title = "A school year in the sandbox"
	p.report.Facts = []report.Fact{{Name: "District", Value: fmt.Sprintf("%d people, %d schools, seed %d", p.people,
		len(sb.District.Schools()), p.seed)}}
	fmt.Fprintf(p.stdout, "A school year of a made-up district on simulated servers: %d people, %d schools.\n", p.people,
		len(sb.District.Schools()))
	p.progress.phases = p.stdout // they are the story
	acts, err := Year(ctx, sb, p.progress)
	if err != nil {
		return p.finish(p.flags.Fail(cli.Failed, err), acts)
	}
	exit := p.finish(status(acts), acts)
	if look := filepath.Join(p.out, "report.html"); p.out != "" {
		fmt.Fprintf(p.stdout, "Look at %s in a browser, and at %s.\n", look, filepath.Join(p.out, "plan-3.txt"))
	} else {
		fmt.Fprintln(p.stdout, "\nWith -out FOLDER every plan is there to read, and a report with pictures (report.html).")
	}
	fmt.Fprint(p.stdout, "Next, keep simulated servers running and work on them as on real ones:\n\n"+
		"  go run ./examples/sandbox -dir /tmp/district\n")
	return exit
}

// run does one run on a site's servers, and tells a monitor of it.
func (p *program) run(ctx context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	if p.syslog != "" {
		h, closer, err := eventlog.Syslog(strings.TrimPrefix(p.syslog, "local"))
		if err != nil {
			return p.flags.Fail(cli.Usage, err)
		}
		defer closer.Close()
		p.log = eventlog.New(h)
	}
	start := time.Now()
	exit, acts := p.onServers(ctx, set)
	if p.log != nil {
		p.log.Ended(exit)
	}
	detailed := p.detail(exit, acts)
	if !p.apply && p.applyPlan == "" {
		return detailed
	}
	st := set.Status(acts)
	st.Applied, st.Started, st.Ended, st.ExitStatus = true, start, time.Now(), exit
	if err := set.WriteStatus(st); err != nil {
		p.flags.Warn(err.Error()) // what was done is done; the monitor will miss a success
	}
	return detailed
}

// Observe is told how the run goes on.
func (p *program) Observe(e site.Event) {
	p.progress.Observe(e)
	if p.log != nil {
		p.log.Observe(e)
	}
}

// The further exit statuses of -detailed-exitcode.
const (
	changed     = 4 // like 0, but there was something to do
	changedHeld = 5 // like 3, but there was something to do besides
)

// detail turns an exit status into that of -detailed-exitcode.
func (p *program) detail(exit int, acts []*site.Act) int {
	if !p.detailed || !slices.ContainsFunc(acts, func(a *site.Act) bool { return !a.Plan.Empty() }) {
		return exit
	}
	switch exit {
	case cli.Done:
		return changed
	case cli.Held:
		return changedHeld
	}
	return exit
}

func (p *program) onServers(ctx context.Context, set *site.Settings) (exit int, acts []*site.Act) {
	var err error
	opts := &site.RunOptions{Day: p.now, Apply: p.apply, Observer: p, BreakLease: p.breakLease, Part: &p.only,
		Preflight: true}
	if p.out != "" {
		if err := atomicfile.Writable(p.out); err != nil {
			return p.flags.Fail(cli.Usage, err), nil
		}
	}
	if p.applyPlan != "" {
		if opts.Approved, err = site.ReadPlan(p.applyPlan); err == nil {
			opts.Approval, err = site.ReadApproval(p.applyPlan)
		}
		if err != nil {
			return p.flags.Fail(cli.Usage, err), nil
		}
	}
	if p.plan != "" {
		opts.Planned = func(plan *schoolmail.Plan) error { return site.WritePlan(p.plan, plan) }
	}
	if opts.Day.IsZero() {
		opts.Day = schoolmail.DateOf(time.Now())
	}
	set.PlanOnly = !p.apply && p.applyPlan == ""
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err), acts
	}
	defer open.Close()
	p.report.Title = open.Name()
	if p.undo != "" {
		if opts.Undo, err = open.FindRun(p.undo); err != nil {
			return p.flags.Fail(cli.Usage, err), nil
		}
	}
	acts, err = p.acts(ctx, open, opts)
	for _, act := range acts {
		if err := p.show(open, act); err != nil {
			return p.flags.Fail(cli.Failed, err), acts
		}
	}
	if err != nil {
		return p.finish(p.refused(open, opts.Day, err), acts), acts
	}
	if set.PlanOnly && !idle(acts) {
		if p.plan != "" {
			fmt.Fprintf(p.stdout, "\nThe plan is in %s; review it (-out FOLDER writes it as text and HTML too) and apply it "+
				"with -apply-plan %[1]s.\n", p.plan)
		}
		fmt.Fprintln(p.stdout, "\nThis was only the plan: no server was written to.")
	}
	return p.finish(status(acts), acts), acts
}

// verifyJournal tells whether the journal is whole.
func (p *program) verifyJournal(context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	rep, err := site.VerifyJournal(set)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	fmt.Fprintf(p.stdout, "The journal is whole: %d files, %d entries.\n", rep.Files, rep.Entries)
	if rep.Tail > 0 {
		fmt.Fprintf(p.stdout, "Its last %d bytes are no whole entry, as after a run that ended abruptly; the next run cuts "+
			"them off.\n", rep.Tail)
	}
	if n := len(rep.Missing); n > 0 {
		return p.flags.Fail(cli.Failed,
			fmt.Errorf("%d kept runs remember more of the journal than is there: it was cut off, or replaced by "+
				"another. Restore it from a backup of the last night before the next run", n))
	}
	return cli.Done
}

// show prints an act: what was done, or the plan.
func (p *program) show(open *site.Site, act *site.Act) error {
	switch {
	case act.Idle():
		if h := act.Plan.Header; !p.quiet {
			fmt.Fprintf(p.stdout, "Nothing to do. Plan %s for %s: %d records, %d accounts.\n", h.ID, h.Now, h.Records,
				h.Accounts)
		}
		return nil
	case act.Result != nil:
		fmt.Fprintln(p.stdout, line(act))
		attend(p.stdout, act, "the report")
		if n := act.Created(); n > 0 {
			fmt.Fprintf(p.stdout, "  initial passwords of %d new accounts, by school: %s\n", n, open.PasswordDir())
		}
		if n := act.NotAsSent(); n > 0 {
			fmt.Fprintf(p.stdout, "  not taken as sent: %d records or rows; acknowledgement.csv is for the school "+
				"administration\n", n)
		}
	case (p.plan != "" || p.out != "") && p.shown.Empty(): // the whole plan is there
		fmt.Fprint(p.stdout, act.Plan.Summary())
		attend(p.stdout, act, "the plan")
	default:
		if _, err := act.World.Select(&p.shown); err != nil {
			return err
		}
		if err := act.Plan.WriteSelected(p.stdout, &p.shown); err != nil {
			return err
		}
		if p.shown.Empty() { // what the plan does not know, and the exit status counts
			for _, f := range act.World.Findings {
				fmt.Fprintf(p.stdout, "  look at %s: %s\n", f.Kind, f.Text)
			}
		}
	}
	switch {
	case errors.Is(act.Err, context.Canceled):
		p.flags.Fail(cli.Failed, errors.New("interrupted; run the same command to go on"))
	case act.Err != nil:
		p.flags.Fail(cli.Failed, act.Err)
	}
	if act.Folder != "" {
		fmt.Fprintf(p.stdout, "Plan and report are in %s.\n", act.Folder)
	}
	return nil
}

// refused tells why a run did nothing, the school administration as well if its
// delivery is at fault, and returns the exit status.
func (p *program) refused(open *site.Site, day schoolmail.Date, err error) int {
	exit := cli.Failed
	if _, bad := errors.AsType[*site.InputError](err); bad {
		exit = cli.Usage
	}
	if p.out != "" || p.apply {
		file, werr := site.WriteRefusal(cmp.Or(p.out, filepath.Join(open.RunsDir(), day.String()+"-refused")), err)
		switch {
		case werr != nil:
			p.flags.Fail(exit, fmt.Errorf("acknowledgement: %w", werr))
		case file != "":
			fmt.Fprintf(p.stdout, "%s is for the school administration.\n", file)
		}
	}
	return p.flags.Fail(exit, err)
}

// finish leaves the report where it is wanted.
func (p *program) finish(exit int, acts []*site.Act) int {
	if p.out == "" || len(acts) == 0 {
		return exit
	}
	if err := site.WriteRun(p.out, p.report, acts); err != nil {
		return p.flags.Fail(exit, fmt.Errorf("report: %w", err))
	}
	if idle(acts) {
		return exit
	}
	fmt.Fprintf(p.stdout, "Plan and report are in %s.\n", p.out)
	return exit
}

// idle reports whether no act had anything to do.
func idle(acts []*site.Act) bool {
	return !slices.ContainsFunc(acts, func(a *site.Act) bool { return !a.Idle() })
}

// status returns the exit status of a run.
func status(acts []*site.Act) int {
	exit := cli.Done
	for _, a := range acts {
		switch {
		case a.Err != nil:
			exit = cli.Worst(exit, cli.Failed)
		case a.NeedsAttention():
			exit = cli.Worst(exit, cli.Held)
		}
	}
	return exit
}

// attend lists what failed, what is held back and what to look at, as far as it
// fits a terminal.
func attend(w io.Writer, a *site.Act, rest string) {
	const most = 20
	n := 0
	say := func(format string, args ...any) {
		if n++; n <= most {
			fmt.Fprintf(w, format, args...)
		}
	}
	r := a.Report()
	for _, g := range r.FailureGroups() {
		if n := len(g.Subjects); n > 1 {
			say("  failed: %d x %s: %s (%s)\n", n, g.Kind, g.Error, g.Names())
		} else {
			say("  failed: %s %s: %s\n", g.Kind, g.Names(), g.Error)
		}
	}
	for _, g := range r.HeldGroups() {
		at := ""
		if g.School != "" {
			at = " at " + g.School
		}
		say("  held back: %d x %s%s: %s: %s\n", g.Count(), g.Kind, at, g.Reason(), g.Names())
	}
	for _, f := range slices.Concat(a.Plan.Findings, a.World.Findings) {
		say("  look at %s: %s\n", f.Kind, f.Text)
	}
	if n > most {
		fmt.Fprintf(w, "  ... and %d more: see %s\n", n-most, rest)
	}
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
