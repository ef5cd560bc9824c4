mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  domain         = "sites.example.org"
  hosted_zone_id = "Z0123456789ABC"
}

run "before_there_are_images" {
  assert {
    condition     = output.gitdeploy.api_url == "https://api.sites.example.org" && output.gitdeploy.codebuild_project == null
    error_message = "the address of the API, and nothing that builds images"
  }
}

run "with_images" {
  variables {
    image_tags = { builder = "1a2b3c4", proxy = "1a2b3c4", upload = "1a2b3c4" }
    codebuild  = { source_url = "https://github.com/example/gitdeploy" }
  }

  assert {
    condition     = output.gitdeploy.codebuild_project == "gitdeploy-images" && output.gitdeploy.log_groups.proxy == "/gitdeploy/proxy"
    error_message = "everything"
  }
}
