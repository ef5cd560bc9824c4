mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  domain         = "sites.example.org"
  hosted_zone_id = "Z0123456789ABC"
  alarm_email    = "ops@example.org"
  image_tags     = { builder = "1a2b3c4", proxy = "1a2b3c4", upload = "1a2b3c4" }
}

run "everything" {
  assert {
    condition     = length(output.gitdeploy.alarm_names) == 13 && output.gitdeploy.sites_url == "https://{label}.sites.example.org/"
    error_message = "alarms, and the address of sites"
  }
}
