variable "name" {
  description = "What every name starts with."
  type        = string
}

variable "load_balancer_arn_suffix" {
  description = "The load balancer, as metrics name it."
  type        = string
}

variable "services" {
  description = "The services, by what they are for: their names, their target groups as metrics name them, and the latency that is too much (seconds at the 99th percentile)."
  type = map(object({
    service                 = string
    target_group_arn_suffix = string
    p99_seconds             = number
  }))
}

variable "cluster_name" {
  description = "The cluster."
  type        = string
}

variable "api_log_group" {
  description = "The log of the upload service, in which failures of the platform are counted and waits are measured."
  type        = string
}

variable "events_queue_name" {
  description = "The queue of task state changes."
  type        = string
}

variable "dead_letters_name" {
  description = "The queue of what nobody could read."
  type        = string
}

variable "table_name" {
  description = "The catalog's table."
  type        = string
}

variable "redis" {
  description = "The cache, and how much it may hold (GB)."
  type        = object({ name = string, max_gb = number })
}

variable "queue_wait_seconds" {
  description = "How long one build in twenty may wait between the request for it and its start, in seconds."
  type        = number

  validation {
    condition     = var.queue_wait_seconds >= 1 && var.queue_wait_seconds <= 86400
    error_message = "Builds may wait from 1 second to a day (86400) before there is an alarm."
  }
}

variable "email" {
  description = "Who gets a mail for every alarm; null: nobody."
  type        = string

  validation {
    condition     = var.email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.email))
    error_message = "This is no mail address."
  }
}

variable "action_arns" {
  description = "What is told of every alarm besides, such as topics."
  type        = list(string)
  default     = []
}

variable "dashboard" {
  description = "Whether there is a dashboard. The first three of an account are free."
  type        = bool
}

variable "kms_key_arn" {
  description = "The key that seals what is sent to the topic."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
