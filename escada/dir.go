package escada

import (
	"context"

	"github.com/ictmedia/schoolmail"
)

// Dir is a folder that the school administration delivers its export into. It
// fulfils the Reader of package site.
type Dir struct {
	Path    string
	Options *Options // Day is set by Read; nil: the defaults
	// Language is given to people whose record names none; empty: none.
	Language string
}

// Read reads the export as [ReadDir] does, with what holds on the day.
func (d Dir) Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error) {
	o := d.Options.withDefaults()
	o.Day = day
	delivery, err := ReadDir(ctx, d.Path, &o)
	for i := range delivery.Records {
		if delivery.Records[i].Language == "" {
			delivery.Records[i].Language = d.Language
		}
	}
	return delivery, err
}
