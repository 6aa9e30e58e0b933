package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/rehearse"
)

// rehearse plays a run on a copy.
func (p *program) rehearse(ctx context.Context) int {
	latency, err := latencies(p.latencies)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	r, err := rehearse.Run(ctx, set, &rehearse.Options{Day: cmp.Or(p.now, schoolmail.DateOf(time.Now())),
		ExportDir: p.export, Latency: latency})
	if _, bad := errors.AsType[*site.InputError](err); bad {
		return p.flags.Fail(cli.Usage, err)
	}
	if err == nil {
		err = r.WriteText(p.stdout)
	}
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	if r.NeedsAttention() {
		return cli.Held
	}
	return cli.Done
}

// latencies reads what requests take, by server.
func latencies(text string) (map[string]time.Duration, error) {
	list := map[string]time.Duration{}
	if text == "" {
		return list, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(word), "=")
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || !slices.Contains([]string{"ldap", "ox-soap", "doveadm", "smtp"}, name) {
			return nil, fmt.Errorf("-latencies %q: expected a server and a time, as in ldap=2ms,ox-soap=90ms; servers are "+
				"ldap, ox-soap, doveadm and smtp", word)
		}
		list[name] = d
	}
	return list, nil
}
