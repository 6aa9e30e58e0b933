package site

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/report"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

const usage = `provision keeps accounts, Open-Xchange places and mailboxes in step with the
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
  provision -config district.toml -undo plan.json
      Plans to take back what this plan has done, as far as that is possible;
      -plan and -apply go with it as above. As long as the export says the same,
      the next ordinary run does it all again.

Whatever is applied leaves a folder with the plan (text, JSON), the report
(text, JSON, HTML) and acknowledgement.csv, which tells the school
administration in German and French which records were not taken as sent: the
folder that -out names, or one of its own in the state folder, under runs/. They
name people; delete them when nobody needs them any more.

Every run can be repeated at any time, also after a crash, and then does only
what is missing. An example for cron, at two in the morning:

  0 2 * * *  provision -config /etc/schoolmail/district.toml -apply -out /var/log/schoolmail

Exit status: 0 all done; 1 failed; 2 bad flags, configuration or export,
nothing was done; 3 finished, but something was held back or failed for single
people: read the report.

Flags:

`

// Main is the program: it parses the arguments (without the program's name),
// runs, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("provision", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { fmt.Fprint(stderr, usage); fs.PrintDefaults() }
	var (
		conf      = fs.String("config", "", "configuration `file` of the site; without it the sandbox is used")
		apply     = fs.Bool("apply", false, "apply what was planned")
		dryRun    = fs.Bool("dry-run", false, "only plan; this is the default, the flag makes it explicit")
		plan      = fs.String("plan", "", "save the plan to this `file`")
		applyPlan = fs.String("apply-plan", "", "apply the reviewed plan in this `file`")
		undo      = fs.String("undo", "", "plan to take back what the plan in this `file` has done")
		out       = fs.String("out", "", "write plan and reports (text, JSON, HTML) to this `folder`")
		people    = fs.Int("people", 400, "sandbox: `number` of people in the district")
		seed      = fs.Uint64("seed", 1, "sandbox: `number` that the district is made from")
		latency   = fs.Duration("latency", 0, "sandbox: `time` that each request to OX and doveadm takes")
		quiet     = fs.Bool("q", false, "no progress")
	)
	var now schoolmail.Date
	fs.TextVar(&now, "now", schoolmail.Date(0), "`day` to plan for, YYYY-MM-DD, for rehearsals; default today")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return ExitDone
		}
		return ExitUsage
	}
	fail := func(status int, format string, a ...any) int {
		fmt.Fprintf(stderr, "provision: "+format+"\n", a...)
		return status
	}
	switch {
	case fs.NArg() > 0:
		return fail(ExitUsage, "unexpected argument %q; -h explains the flags", fs.Arg(0))
	case *conf == "" && (*apply || *dryRun || *plan != "" || *applyPlan != "" || *undo != "" || !now.IsZero()):
		return fail(ExitUsage, "-apply, -dry-run, -plan, -apply-plan, -undo and -now need -config")
	case *applyPlan != "" && (*apply || *plan != "" || *undo != ""):
		return fail(ExitUsage, "-apply-plan goes with neither -apply nor -plan nor -undo")
	case *dryRun && (*apply || *applyPlan != ""):
		return fail(ExitUsage, "-dry-run contradicts -apply and -apply-plan")
	case *people < 20 || *people > 200000:
		return fail(ExitUsage, "-people %d: expected 20 to 200000", *people)
	}
	var progress Progress = Quiet{}
	if !*quiet {
		progress = NewProgress(stderr, isTerminal(stderr))
	}

	rep := &report.Report{Title: "schoolmail", Written: time.Now()}
	finish := func(status int, acts []*Act) int {
		for _, a := range acts {
			rep.Acts = append(rep.Acts, a.Report())
		}
		if *out != "" && len(rep.Acts) > 0 {
			if err := writeOut(*out, rep, acts); err != nil {
				return fail(cmp.Or(status, ExitFailed), "report: %v", err)
			}
			fmt.Fprintf(stdout, "Plan and report are in %s.\n", *out)
		}
		return status
	}

	if *conf == "" {
		sb, err := sitetest.Start(&sitetest.Options{People: *people, Seed: *seed, Latency: *latency})
		if err != nil {
			return fail(ExitFailed, "%v", err)
		}
		defer sb.Close()
		rep.Title = "A school year in the sandbox"
		rep.Facts = []report.Fact{{Name: "District", Value: fmt.Sprintf("%d people, %d schools, seed %d", *people, len(sb.District.Schools()), *seed)}}
		fmt.Fprintf(stdout, "A school year of a made-up district on simulated servers: %d people, %d schools.\n", *people, len(sb.District.Schools()))
		acts, err := Year(ctx, sb, &told{Progress: progress, w: stdout})
		if err != nil {
			return finish(fail(ExitFailed, "%v", err), acts)
		}
		return finish(worst(acts), acts)
	}

	set, warnings, err := loadSettings(*conf)
	if err != nil {
		return fail(ExitUsage, "%v", err)
	}
	for _, w := range warnings {
		fmt.Fprintf(stderr, "provision: warning: %s\n", w)
	}
	set.PlanOnly = !*apply && *applyPlan == ""
	site, err := Open(set)
	if err != nil {
		return fail(ExitFailed, "%v", err)
	}
	defer site.Close()
	if now.IsZero() {
		now = schoolmail.DateOf(time.Now())
	}
	rep.Title = site.Name
	acts, err := Run(ctx, site, Command{Now: now, Apply: *apply, SavePlan: *plan, ApplyPlan: *applyPlan, Undo: *undo}, progress)
	if n := len(acts); *out == "" && n > 0 && acts[n-1].Result != nil {
		*out = filepath.Join(site.RunsDir, now.String()+"-"+acts[n-1].Plan.Header.ID)
	}
	for _, act := range acts {
		switch {
		case act.Result != nil:
			fmt.Fprintln(stdout, act.Line())
			attend(stdout, act, "the report")
			if n := act.created(); n > 0 {
				fmt.Fprintf(stdout, "  initial passwords of %d new accounts, by school: %s\n", n, site.PasswordDir)
			}
			if n := len(act.acknowledgement().lines); n > 0 && !act.Undo {
				fmt.Fprintf(stdout, "  not taken as sent: %d records or rows; acknowledgement.csv is for the school administration\n", n)
			}
		case *plan != "" || *out != "": // the whole plan is there
			fmt.Fprint(stdout, act.Plan.Summary())
			attend(stdout, act, "the plan")
		default:
			if err := act.Plan.WriteText(stdout); err != nil {
				return fail(ExitFailed, "%v", err)
			}
		}
		if act.Err != nil {
			fail(ExitFailed, "%v", act.Err)
		}
	}
	if err != nil {
		status := ExitFailed
		if _, bad := errors.AsType[*InputError](err); bad {
			status = ExitUsage
		}
		if a := refuse(err); a != nil && (*out != "" || *apply) {
			dir := cmp.Or(*out, filepath.Join(site.RunsDir, now.String()+"-refused"))
			err := os.MkdirAll(dir, 0o700)
			if err == nil {
				err = writeFile(filepath.Join(dir, "acknowledgement.csv"), a.write)
			}
			if err != nil {
				fail(status, "acknowledgement: %v", err)
			} else {
				fmt.Fprintf(stdout, "%s is for the school administration.\n", filepath.Join(dir, "acknowledgement.csv"))
			}
		}
		return finish(fail(status, "%v", err), acts)
	}
	if !*apply && *applyPlan == "" {
		if *plan != "" {
			fmt.Fprintf(stdout, "\nThe plan is in %s; review it (-out FOLDER writes it as text and HTML too) and apply it with -apply-plan %[1]s.\n", *plan)
		}
		fmt.Fprintln(stdout, "\nThis was only the plan: no server was written to.")
	}
	return finish(worst(acts), acts)
}

// attend lists what failed, what is held back and what to look at, as far as it
// fits a terminal.
func attend(w io.Writer, a *Act, rest string) {
	const most = 20
	n := 0
	say := func(format string, args ...any) {
		if n++; n <= most {
			fmt.Fprintf(w, format, args...)
		}
	}
	r := a.Report()
	for _, f := range r.Failures {
		say("  failed: %s %s: %s\n", f.Kind, f.Subject, f.Error)
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

// told prints the sandbox's story to the standard output, the progress
// elsewhere.
type told struct {
	Progress
	w io.Writer
}

func (t *told) Phase(what string) {
	fmt.Fprintln(t.w, what)
	if l, ok := t.Progress.(*lines); ok {
		l.restart()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
