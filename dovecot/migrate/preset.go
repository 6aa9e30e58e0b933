package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// Preset is what is known of a make of source server beyond the protocol.
type Preset struct {
	Name string
	// Skip are folders that hold no mail, or none of the user's.
	Skip []string
	// ArchiveRest: see [FolderRules].
	ArchiveRest bool
	// Connections that the server takes from us at a time.
	Connections int
}

// presets by name. Exchange shows calendars and the like as mail folders; Gmail
// allows 15 connections for an account, Exchange Online 20 for each.
var presets = []Preset{
	{Name: "gmail", ArchiveRest: true, Connections: 8},
	{Name: "exchange", Connections: 8, Skip: []string{
		"Calendar", "Contacts", "Tasks", "Journal", "Notes", "Outbox", "Sync Issues", "Conversation History",
		"Suggested Contacts", "RSS Feeds",
		"Kalender", "Kontakte", "Aufgaben", "Notizen", "Postausgang", "Synchronisierungsprobleme",
		"Aufgezeichnete Unterhaltungen", "Vorgeschlagene Kontakte", "RSS-Feeds",
		"Calendrier", "Tâches", "Boîte d'envoi", "Problèmes de synchronisation", "Flux RSS",
		"Calendario", "Contatti", "Attività", "Posta in uscita",
	}},
}

// PresetOf returns the preset of a name, "gmail" or "exchange".
func PresetOf(name string) (Preset, error) {
	var names []string
	for _, p := range presets {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("migrate: %q is no preset: want %s", name, strings.Join(names, " or "))
}

// Apply puts the preset below what the site wants.
func (p Preset) Apply(rules *FolderRules, source *Server) {
	rules.Skip = append(slices.Clone(rules.Skip), p.Skip...)
	rules.ArchiveRest = rules.ArchiveRest || p.ArchiveRest
	if source.Connections == 0 {
		source.Connections = p.Connections
	}
}
