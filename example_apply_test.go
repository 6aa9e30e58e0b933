package schoolmail_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// A plan is applied over ports: the directory, Open-Xchange, the mail server, the
// notices and the journal. Here they are the simulators of a made-up district; package
// site opens them, and those of a real one. Planning again finds nothing to do.
func ExampleApply() {
	err := sitetest.Run(func(ctx context.Context, sb *sitetest.Sandbox) error {
		s, err := site.Open(sb.Settings(), nil)
		if err != nil {
			return err
		}
		defer s.Close()
		for range 2 {
			w, err := s.Look(ctx, sb.District.Today())
			if err != nil {
				return err
			}
			plan, err := schoolmail.NewPlan(s.Policy(), w.State, w.Delivery, w.Day)
			if err != nil {
				return err
			}
			result, err := schoolmail.Apply(ctx, plan, s.Ports(), &schoolmail.ApplyOptions{
				InitialPassword: func(schoolmail.Account) (schoolmail.Secret, error) { return "to-be-changed", nil },
				Clock:           time.Now,
				Parallel:        8,
				Observer: schoolmail.ObserverFunc(func(e schoolmail.Event) {
					if e.Ended == e.Total {
						fmt.Printf("the last of %d steps has ended\n", e.Total)
					}
				}),
			})
			if err != nil {
				return err
			}
			fmt.Printf("%d steps, %d done, %d failed\n", len(plan.Steps),
				result.Count(schoolmail.StatusDone), result.Count(schoolmail.StatusFailed))
		}
		return nil
	}, sitetest.WithPeople(60))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// the last of 66 steps has ended
	// 66 steps, 66 done, 0 failed
	// 0 steps, 0 done, 0 failed
}
