package monitor

import (
	"fmt"
	"time"
)

// Level is a verdict as Nagios-like monitors know it; its number is the exit status
// that they expect of a check.
type Level int

// The levels.
const (
	OK Level = iota
	Warning
	Critical
	Unknown
)

// String returns the level's name in capitals, as monitors show it.
func (l Level) String() string {
	if l < OK || l > Unknown {
		l = Unknown
	}
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[l]
}

// Verdict says in a level and one line how the site is at a time. It is critical
// when the last success, or the export it was made from, is older than maxAge, and
// when the last run failed; a warning when something was held back, failed for
// single people or was refused. The line ends with figures ("performance data")
// behind a "|".
func (s *Status) Verdict(now time.Time, maxAge time.Duration) (Level, string) {
	level, text := s.judge(now, maxAge)
	t := s.sum()
	return level, fmt.Sprintf("SCHOOLMAIL %s - %s | done=%d failed=%d skipped=%d held=%d records=%d rejected=%d",
		level, text, t.Done, t.Failed, t.Skipped, t.Held, s.Export.Records, s.Export.Rejected)
}

func (s *Status) judge(now time.Time, maxAge time.Duration) (Level, string) {
	t := s.sum()
	switch {
	case s.LastSuccess.IsZero():
		return Critical, "no run has been applied to its end yet"
	case now.Sub(s.LastSuccess) > maxAge:
		return Critical, fmt.Sprintf("last success %s ago, at %s", hours(now.Sub(s.LastSuccess)),
			s.LastSuccess.Format(time.RFC3339))
	case s.ExitStatus == 1:
		return Critical, fmt.Sprintf("the run of %s failed", s.Ended.Format(time.RFC3339))
	case !s.Export.Written.IsZero() && now.Sub(s.Export.Written) > maxAge:
		return Critical, fmt.Sprintf("the export is %s old, of %s", hours(now.Sub(s.Export.Written)),
			s.Export.Written.Format(time.RFC3339))
	case s.ExitStatus == 2:
		return Warning, fmt.Sprintf("the run of %s was refused: configuration or export", s.Ended.Format(time.RFC3339))
	case t.Failed+t.Skipped > 0:
		return Warning, fmt.Sprintf("%d steps failed or were skipped, %d are held", t.Failed+t.Skipped, t.Held)
	case t.Held > 0:
		return Warning, fmt.Sprintf("%d steps are held, %d findings: read the report", t.Held, s.Findings)
	case s.ExitStatus == 3:
		return Warning, fmt.Sprintf("%d findings: read the report", s.Findings)
	}
	return OK, fmt.Sprintf("last success %s ago, %d steps done", hours(now.Sub(s.LastSuccess)), t.Done)
}

// hours rounds down to what is worth reading: minutes below two days, days from then on.
func hours(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
