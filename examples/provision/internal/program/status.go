package program

import (
	"context"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/monitor"
)

// verdict tells a monitor how the last run went, and returns the monitor's exit
// status.
func (p *program) verdict(context.Context) int {
	unknown := func(err error) int {
		fmt.Fprintf(p.stdout, "SCHOOLMAIL %s - %v\n", monitor.Unknown, err)
		return int(monitor.Unknown)
	}
	set, _, err := site.Load(p.config, nil)
	if err != nil {
		return unknown(err)
	}
	st, err := monitor.Read(set.StatusPath())
	if err != nil {
		return unknown(err)
	}
	level, line := st.Verdict(time.Now(), p.maxAge)
	fmt.Fprintln(p.stdout, line)
	return int(level)
}
