package schoolmail

import (
	"context"
	"fmt"
)

// reminder returns which reminder a leaver is to get on a day, in days before the
// mailbox closes; 0: none. One that was missed is caught up, and one is enough for all
// that were.
func (l *LifeTimes) reminder(a *Account, due, now Date) (days int) {
	left := due.Sub(now)
	for _, n := range l.RemindDays {
		if left <= n && (days == 0 || n < days) {
			days = n
		}
	}
	if days == 0 || a.RemindedOn >= due.AddDays(-days) {
		return 0
	}
	return days
}

func (d *decisions) remind(a *Account, due Date, days int) Step {
	next := *a
	next.RemindedOn = d.now
	return newStep(KindRemind, a, fmt.Sprintf("notice of %s; the mailbox closes on %s", a.NoticedOn, due),
		SendReminder{Before: *a, After: next, Due: due, Days: days})
}

func (act SendReminder) carryOut(ctx context.Context, a *applier, s *Step) error {
	live, err := a.as(ctx, &act.Before)
	if err != nil {
		if a.past(s, &live) {
			return nil
		}
		return err
	}
	from := act.Due.AddDays(-act.Days)
	if live.RemindedOn >= from {
		return nil // an earlier run did it, but was cut off before it could say so
	}
	// Who was told, but not recorded as told, is not told again.
	if on, told := a.history.told[toldKey{NoticeReminder, keyOf(s.ID)}]; !told || DateOf(on) < from {
		if err := a.tell(ctx, s, NoticeReminder, &act.Before, from, act.Due); err != nil {
			return err
		}
	}
	return a.changeDirectory(ctx, s, effectReminded, act.Before, act.After)
}
