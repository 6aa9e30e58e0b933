package site_test

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// list is a reader of exports of one's own kind: here names that stand in the program.
type list []string

func (l list) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	d := schoolmail.Delivery{Source: "escada", Kind: schoolmail.DeliveryFull, Rows: len(l), Fingerprint: fmt.Sprint(l)}
	for _, name := range l {
		d.Records = append(d.Records, schoolmail.Record{Key: schoolmail.RecordKey{Source: "escada", ID: name},
			Role:      schoolmail.RoleTeacher,
			GivenName: name, FamilyName: "Muster", Memberships: []schoolmail.Membership{{School: "ps-birkenhof"}}})
	}
	return d, nil
}

// chat tells people in a chat, instead of by mail, that they are about to leave.
type chat struct{}

func (chat) Notify(_ context.Context, n schoolmail.Notice) error {
	fmt.Printf("to %s: your mailbox closes on %s\n", n.Account.DisplayName, n.Due)
	return nil
}

// The main job of a district with an export and a way of telling people of its own,
// here on simulated servers. With a site's servers [site.Load] takes the place of
// Settings.
func Example() {
	err := sitetest.Run(func(ctx context.Context, sb *sitetest.Sandbox) error {
		day := sb.District.Today()
		for _, export := range []list{{"Anna", "Bruno", "Chiara"}, {"Anna", "Bruno", "Chiara"}, {"Anna", "Bruno"}} {
			s, err := site.Open(sb.Settings(), &site.Parts{Reader: export, Notifier: chat{}})
			if err != nil {
				return err
			}
			acts, err := s.Run(ctx, &site.RunOptions{Day: day, Apply: true})
			if err != nil {
				return err
			}
			fmt.Print(acts[0].Plan.Summary())
			if err := s.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	//      6 contexts to create
	//      3 accounts to create
	// Nothing to do.
	// to Chiara Muster: your mailbox closes on 2026-10-05
	//      1 leaver to notify
}
