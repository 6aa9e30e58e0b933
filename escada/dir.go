package escada

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Dir is a folder that the school administration delivers its export into. It
// fulfils the Reader of package site.
type Dir struct {
	Path    string
	Options *Options // Day, Now and Last are set by Read; nil: the defaults
	// Language is given to people whose record names none; empty: none.
	Language string
	// State is the file in which Accept keeps what was accepted last; empty: none,
	// and an older export is not noticed.
	State string
}

// Read reads the export as [ReadDir] does, with what holds on the day.
func (d Dir) Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error) {
	o := d.Options.withDefaults()
	o.Day, o.Now = day, time.Now()
	var err error
	if o.Last, err = d.last(); err != nil {
		return schoolmail.Delivery{}, err
	}
	delivery, err := ReadDir(ctx, d.Path, &o)
	for i := range delivery.Records {
		if delivery.Records[i].Language == "" {
			delivery.Records[i].Language = d.Language
		}
	}
	return delivery, err
}

// Accept keeps what the next reading compares with. It is called when a delivery
// was carried out.
func (d Dir) Accept(delivery *schoolmail.Delivery) error {
	if d.State == "" {
		return nil
	}
	text, err := json.Marshal(Accept(delivery))
	if err != nil {
		return err
	}
	// Never half a file: it is written beside and renamed.
	beside := d.State + ".new"
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, d.State)
}

func (d Dir) last() (*Accepted, error) {
	if d.State == "" {
		return nil, nil
	}
	text, err := os.ReadFile(d.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a Accepted
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("escada: %s: expected what was accepted last, or no file: %w", d.State, err)
	}
	return &a, nil
}
