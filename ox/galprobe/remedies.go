package galprobe

// Remedy is something that can be done about a finding.
type Remedy struct {
	Paths []string // the paths that it concerns; empty: all
	Text  string
}

// Remedies lists what is known to help, the surest first.
func Remedies() []Remedy {
	beyond := []string{"user contacts", "users", "groups", "profile", "multiple"}
	return []Remedy{
		{nil, "Separate contexts. OX answers none of these calls across contexts, as long as the cross-context features " +
			"stay off " +
			"(com.openexchange.calendar.enableCrossContextFreeBusy, com.openexchange.calendar.enableCrossContextConflicts and " +
			"com.openexchange.share.crossContextGuests, all false unless changed). Whoever must not see each other's names " +
			"belongs into different contexts; " +
			"this is the only complete isolation."},
		{[]string{"capability", "folder list", "folder", "contacts all", "contacts get", "contacts search",
			"advanced search", "autocomplete", "contacts updates", "export", "find", "carddav", "multiple"},
			"The module permission globalAddressBookDisabled for every user, new ones included (CheckAccess sets and checks " +
				"it). OX refuses it together with " +
				"editPublicFolders, readCreateSharedFolders, webdavXml or delegateTask unless " +
				"com.openexchange.admin.bypassAccessCombinationChecks is true; " +
				"the shipped combinations webmail, pim, pim_infostore and pim_mobility have it. copyUser leaves it set."},
		{[]string{"capability", "folder list", "folder", "contacts all"},
			"The context's gabMode must be individual. In mode global OX accepts the permission and ignores it; " +
				"restoregabdefaults changes the mode."},
		{beyond, "Rules in the reverse proxy in front of OX (WriteNginx, WriteHAProxy) that refuse the user and group " +
			"lists to everybody but chosen addresses. " +
			"Those for HAProxy also look into \"multiple\", nginx cannot: there the path stays open. The web client uses some " +
			"of these calls itself, so try them out first. " +
			"Probe through the proxy, with the control account past it (Options.ControlClient)."},
		{beyond, "OX App Suite 8 has a second set of fields for closed books that leaves the mail address out. The " +
			"property that chooses it was not found in the " +
			"public sources; ask the vendor."},
		{[]string{"groups"}, "com.openexchange.group.hideAllUsers=true hides the group of all users (7.10.4 and later). No " +
			"property is known that hides ordinary groups: " +
			"give groups names that say nothing, or put people into groups only where a permission needs it."},
		{[]string{"carddav"}, "com.openexchange.carddav.ignoreFolders=6 keeps the book from sync clients of those who may " +
			"see it."},
		{[]string{"users", "contacts all"},
			"com.openexchange.showAdmin=false hides the context's administrator (7.10.2 and later)."},
	}
}
