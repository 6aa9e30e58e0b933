package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
)

// job is one thing that the program can do instead of a run.
type job struct {
	flag      string   // asks for it
	with      []string // the flags that go with it
	noConfig  bool     // it needs no district
	arguments bool     // something may stand after the flags
	do        func(context.Context) int
}

// passwordFlags go with new initial passwords.
var passwordFlags = []string{"apply", "dry-run", "by", "any-day", "break-lease"}

func (p *program) jobs() []job {
	return []job{
		{flag: "describe", with: []string{"show-values"}, noConfig: true, arguments: true, do: p.describeExport},
		{flag: "try-nasty", do: p.nasty},
		{flag: "approve", noConfig: true, do: p.approvePlan},
		{flag: "verify-journal", do: p.verifyJournal},
		{flag: "check", do: p.checkServers},
		{flag: "status", with: []string{"max-age"}, do: p.verdict},
		{flag: "preview-notices", do: p.previewNotices},
		{flag: "explain", do: p.explainPerson},
		{flag: "subject", do: p.tellSubject},
		{flag: "drift", with: []string{"school", "role", "person"}, do: p.showDrift},
		{flag: "calendar", with: []string{"school", "role", "person"}, do: p.showCalendar},
		{flag: "forecast", with: []string{"churn"}, do: p.showForecast},
		{flag: "rehearse", with: []string{"export", "latencies"}, do: p.rehearse},
		{flag: "hold", with: []string{"reason", "until", "by"}, do: p.holdPerson},
		{flag: "release", with: []string{"by"}, do: p.releasePerson},
		{flag: "call-off", do: p.callDeletionOff},
		{flag: "rename", with: append([]string{"to-given", "to-family", "to-address", "to-username", "detailed-exitcode",
			"out", "syslog"}, passwordFlags...), do: p.renamePerson},
		{flag: "new-password", with: passwordFlags, do: p.newPasswords},
		{flag: "new-password-class", with: passwordFlags, do: p.newPasswords},
		{flag: "adopt", with: []string{"apply", "dry-run", "any-day", "break-lease"}, do: p.takeOver},
	}
}

// choose looks at the flags and returns what is to be done; nil after a mistake,
// with the exit status.
func (p *program) choose() (do func(context.Context) int, status int) {
	given := map[string]bool{}
	p.flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() != "false" })
	var chosen *job
	for _, j := range p.jobs() {
		switch {
		case !given[j.flag]:
		case chosen != nil:
			return nil, p.flags.Misused("-%s and -%s: expected one of them", chosen.flag, j.flag)
		default:
			chosen = &j
		}
	}
	if p.flags.NArg() > 0 && (chosen == nil || !chosen.arguments) {
		return nil, p.flags.Misused("unexpected argument %q", p.flags.Arg(0))
	}
	if chosen == nil {
		return p.chooseRun(given)
	}
	if !chosen.noConfig {
		if p.config == "" {
			return nil, p.flags.Misused("-%s needs -config", chosen.flag)
		}
		chosen.with = append(slices.Clone(chosen.with), "config", "now")
	}
	chosen.with = append(slices.Clone(chosen.with), chosen.flag, "q")
	if p.apply && p.dryRun {
		return nil, p.flags.Misused("-dry-run contradicts -apply")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(chosen.with, name) {
			return nil, p.flags.Misused("-%s does not go with -%s", chosen.flag, name)
		}
	}
	return chosen.do, cli.Done
}

// chooseRun checks the flags of a run.
func (p *program) chooseRun(given map[string]bool) (do func(context.Context) int, status int) {
	mistake := func(format string, args ...any) (func(context.Context) int, int) {
		return nil, p.flags.Misused(format, args...)
	}
	if p.config == "" {
		for _, name := range []string{"apply", "dry-run", "plan", "apply-plan", "undo", "now", "school", "role", "person",
			"kind", "only-school", "only-person", "detailed-exitcode", "syslog"} {
			if given[name] {
				return mistake("-%s needs -config", name)
			}
		}
	}
	for _, name := range []string{"reason", "until", "by", "to-given", "to-family", "to-address", "to-username"} {
		if given[name] {
			return mistake("-%s goes with -%s", name, map[bool]string{true: "rename", false: "hold"}[strings.HasPrefix(name,
				"to-")])
		}
	}
	if given["churn"] {
		return mistake("-churn goes with -forecast")
	}
	if given["export"] || given["latencies"] {
		return mistake("-export and -latencies go with -rehearse")
	}
	limited := given["only-school"] || given["only-person"]
	switch {
	case p.showValues:
		return mistake("-show-values goes with -describe")
	case p.applyPlan != "" && (p.apply || p.plan != "" || p.undo != "" || limited):
		return mistake("-apply-plan goes with none of -apply, -plan, -undo, -only-school and -only-person")
	case p.dryRun && (p.apply || p.applyPlan != ""):
		return mistake("-dry-run contradicts -apply and -apply-plan")
	case !p.now.IsZero() && (p.apply || p.applyPlan != "") && !p.anyDay:
		return mistake("-now is for looking ahead; to apply for another day than today -any-day is needed, and sandbox = " +
			"true in [site]")
	case p.breakLease && !p.apply && p.applyPlan == "":
		return mistake("-break-lease goes with -apply or -apply-plan")
	case p.people < 20 || p.people > 200000:
		return mistake("-people %d: expected 20 to 200000", p.people)
	}
	for _, r := range p.shown.Roles {
		if !r.Valid() {
			return mistake("-role %s: expected pupil, teacher or staff", r)
		}
	}
	for _, k := range p.shown.Kinds {
		if !slices.Contains(schoolmail.Kinds(), k) {
			return mistake("-kind %s: expected some of %s", k, strings.Trim(fmt.Sprint(schoolmail.Kinds()), "[]"))
		}
	}
	if p.config == "" {
		return p.demonstrate, cli.Done
	}
	return p.run, cli.Done
}

// listVar is a flag that takes several words with commas between, and may be given
// several times.
func listVar[T ~string](fs *cli.Flags, list *[]T, name, usage string) {
	fs.Func(name, usage, func(s string) error {
		for word := range strings.SplitSeq(s, ",") {
			if word = strings.TrimSpace(word); word == "" {
				return errors.New("expected words with commas between")
			}
			*list = append(*list, T(word))
		}
		return nil
	})
}
